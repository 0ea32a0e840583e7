"""Two commits measured in turn: A B A B, each server built in a work tree of its own.

Drivers, peers and the bench itself are those of this checkout, so that only the server differs.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import groundswell
from groundswell.bench.native_tools import ToolFailed

_PROGRAM = """\
#!/bin/sh
PYTHONPATH={tree} exec {python} -c 'from groundswell.cli import main; main()' "$@"
"""


@contextmanager
def built(revision: str) -> Iterator[Path]:
    """Check a revision out into a temporary work tree and build it; yields its `groundswell`.

    Raises:
        ToolFailed: this is no checkout, there is no such revision, or it cannot be built.
    """
    root = Path(groundswell.__file__).parents[1]
    commit = _run(["git", "rev-parse", "--verify", f"{revision}^{{commit}}"], root).strip()
    with tempfile.TemporaryDirectory(prefix="groundswell-bench-") as folder:
        tree = Path(folder) / "tree"
        _run(["git", "worktree", "add", "--detach", str(tree), commit], root)
        try:
            _run([sys.executable, "setup.py", "-q", "build_ext", "--inplace"], tree)
            program = tree / "build" / "groundswell"
            program.parent.mkdir(exist_ok=True)
            program.write_text(_PROGRAM.format(tree=tree, python=sys.executable))
            program.chmod(0o755)
            yield program
        finally:
            _run(["git", "worktree", "remove", "--force", str(tree)], root)


def measure(
    programs: Sequence[Path],
    scenarios: Sequence[Sequence[str]],
    *,
    rounds: int,
    folders: Sequence[Path],
    tell: Callable[[str], None],
) -> None:
    """Run each scenario with each program in turn; the results of a program are in its folder.

    Raises:
        ToolFailed: a run is not complete.
    """
    for number in range(1, rounds + 1):
        for words in scenarios:
            for name, program, folder in zip("AB", programs, folders, strict=True):
                tell(f"round {number} of {rounds}: {' '.join(words)}, {name}")
                command = [sys.executable, "-m", "groundswell.bench", "--program", str(program)]
                done = subprocess.run(  # noqa: S603  # our own command, no shell
                    [*command, *words, "--out", str(folder)],
                    stdout=subprocess.DEVNULL,
                    check=False,
                )
                if done.returncode != 0:
                    raise ToolFailed(f"{' '.join(words)} of {name} is not complete")


def _run(command: Sequence[str], folder: Path) -> str:
    environment = {**os.environ, "BUILD_EXTENSION": "yes"}
    try:
        done = subprocess.run(  # noqa: S603  # fixed commands, no shell
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise ToolFailed(f"{command[0]} is not installed") from error
    if done.returncode != 0:
        raise ToolFailed(f"{' '.join(command[:3])} failed: {done.stderr.strip()[-2000:]}")
    return done.stdout
