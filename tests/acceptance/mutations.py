"""Shows that the suite can fail: breaks a copy of the tree on purpose and runs the tests on it.

Run it by hand from the root of the repository, after a change to what it breaks or to the suite:

    .venv/bin/python -m tests.acceptance.mutations [name ...]

Those of the cluster are left out unless it runs below `scripts/with-stack`.

Exit status 0: the tests passed on an unbroken copy and failed on every broken one.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "build", "__pycache__", ".*cache")
TIMEOUT_S = 300


@dataclass(frozen=True)
class Edit:
    """A text that occurs once in a file, and what stands there instead."""

    file: str
    before: str
    after: str


@dataclass(frozen=True)
class Mutation:
    """One thing broken, and the tests of which at least one must fail."""

    name: str
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]
    on_engines: bool = False  # the tests need a stack that they may hurt


SUITE = "tests/acceptance/"

MUTATIONS = (
    Mutation(
        "the log's commits are not synced",
        (
            Edit(
                "groundswell/log/schema.py",
                'connection.execute("PRAGMA synchronous = FULL")',
                'connection.execute("PRAGMA synchronous = OFF")',
            ),
        ),
        (SUITE + "test_durability.py",),
    ),
    Mutation(
        "the gate forgets idempotency keys",
        (
            Edit(
                "groundswell/ingest/gate.py",
                "if draft.ref is None:\n            return\n        d",
                "return\n        d",
            ),
        ),
        (SUITE + "test_idempotency.py",),
    ),
    Mutation(
        "readers of the log let duplicates pass",
        (
            Edit(
                "groundswell/contract/dedup.py",
                "duplicate = key_hash in self._last_seen",
                "duplicate = False",
            ),
        ),
        (SUITE + "test_idempotency.py",),
    ),
    Mutation(
        "every resume says recovered",
        (
            Edit(
                "groundswell/broker/room.py",
                "if resume.epoch != self._epoch or not self._backlog.first",
                "if False and not self._backlog.first",
            ),
            Edit(
                "groundswell/broker/room.py",
                "if missed_at is not None and missed_at < oldest:",
                "if False:",
            ),
        ),
        (SUITE + "test_resume.py",),
    ),
    Mutation(
        "the tally is kept in memory only",
        (
            Edit(
                "groundswell/persist/tally.py",
                "rows = await self._store.reactions(video_id, comment_ids)",
                "rows = dict[str, list[ReactionRow]]()",
            ),
        ),
        (SUITE + "test_reactions.py::test_totals_go_on_after_a_kill",),
    ),
    Mutation(
        "a deletion leaves the ring as it is",
        (
            Edit(
                "groundswell/broker/room.py",
                "        self._ring.redact(comment_id)\n",
                "",
            ),
        ),
        (SUITE + "test_deletion.py",),
    ),
    Mutation(
        "readers of Kafka let duplicates pass",
        (
            Edit(
                "groundswell/contract/dedup.py",
                "duplicate = key_hash in self._last_seen",
                "duplicate = False",
            ),
        ),
        (SUITE + "cluster/faults/test_triple_posts.py",),
        on_engines=True,
    ),
    Mutation(
        "a position is bound to the topic's name, not to Kafka's id of it",
        (
            Edit(
                "groundswell/log/kafka_log.py",
                "hashlib.blake2b(self._ids[topic], digest_size=8)",
                "hashlib.blake2b(topic.value.encode(), digest_size=8)",
            ),
        ),
        (SUITE + "cluster/faults/test_topic_recreated.py",),
        on_engines=True,
    ),
)


def copy_tree(folder: Path) -> Path:
    """Copy the repository, with its built extension."""
    return Path(shutil.copytree(ROOT, folder / "tree", ignore=LEFT_OUT))


def apply(edit: Edit, tree: Path) -> None:
    """Break one place of a copy; the place must be there, and only once."""
    path = tree / edit.file
    text = path.read_text(encoding="utf-8")
    found = text.count(edit.before)
    if found != 1:
        raise SystemExit(f"{edit.file}: {edit.before!r} occurs {found} times; adapt the mutation")
    path.write_text(text.replace(edit.before, edit.after), encoding="utf-8")


def run_tests(tree: Path, tests: Iterable[str]) -> tuple[int, str]:
    """Run tests in a copy, against that copy's server; return pytest's status and last lines."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "--tb=short", "-p", "no:cacheprovider"]
    # Before the installed package, for the tests and for the servers that they start.
    environment = os.environ | {"PYTHONPATH": str(tree)}
    result = subprocess.run(
        [*command, *tests],
        cwd=tree,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    return result.returncode, result.stdout


def reason(output: str) -> str:
    """Return the line that says which test failed, and the first error."""
    lines = output.splitlines()
    errors = [line for line in lines if line.startswith("E  ")]
    failed = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    return "\n      ".join([*failed[:1], *errors[:1]]) or "\n".join(lines[-20:])


def say(text: str) -> None:
    """Write a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main(names: list[str]) -> int:
    """Run the control and the mutations; return the exit status."""
    hurtable = "GROUNDSWELL_STACK_FOLDER" in os.environ
    chosen = [
        one
        for one in MUTATIONS
        if (not names or one.name in names) and (hurtable or not one.on_engines)
    ]
    survivors = 0
    with tempfile.TemporaryDirectory(prefix="mutations-") as folder:
        tree = copy_tree(Path(folder))
        every = list(dict.fromkeys(test for one in chosen for test in one.tests))
        began = time.monotonic()
        status, output = run_tests(tree, every)
        say(f"unbroken: {'passes' if status == 0 else 'FAILS'} ({time.monotonic() - began:.0f} s)")
        if status != 0:
            say(reason(output))
            return 1
    for one in chosen:
        with tempfile.TemporaryDirectory(prefix="mutations-") as folder:
            tree = copy_tree(Path(folder))
            for edit in one.edits:
                apply(edit, tree)
            began = time.monotonic()
            status, output = run_tests(tree, one.tests)
            survivors += status != 1
            verdict = "noticed" if status == 1 else "NOT NOTICED"
            say(f"{one.name}: {verdict} ({time.monotonic() - began:.0f} s)\n      {reason(output)}")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
