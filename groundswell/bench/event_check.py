"""What the event left behind, compared with what was acknowledged to the crowd."""

import http.client
import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from groundswell.bench.durable_store import ReactionCounts, StoredRows
from groundswell.bench.event_crowd import MAIN, Outcome
from groundswell.contract.reactions import NO_REACTION, REACTION_TYPES

REACTION_ROWS_MAX = 170_000  # of a partition: persist/cassandra_placement.py says why
PAGE = 500  # comments of one GET
GET_TIME = 30.0  # seconds for one page
_PLURALS = {row.plural: row.code for row in REACTION_TYPES}


@dataclass(slots=True)
class Findings:
    """Figures by name, and whatever is not as it must be."""

    figures: dict[str, object] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)

    def must_be_zero(self, name: str, count: int) -> None:
        """Enter a figure that is a violation unless it is 0."""
        self.figures[name] = count
        if count:
            self.violations.append(f"{name}: {count:,}")

    def must_be_within(self, name: str, count: int, bound: int) -> None:
        """Enter a figure that has a bound."""
        self.figures[f"{name} (at most {bound:,})"] = count
        if count > bound:
            self.violations.append(f"{name}: {count:,} of {bound:,}")


def check_comments(
    found: Findings, stored: StoredRows, outcome: Outcome, *, bucket_rows: int
) -> dict[str, list[str]]:
    """Compare the rows of comments with the acks; return the ids of each video in stored order."""
    buckets = stored.comments()
    by_video: dict[str, list[tuple[int, str]]] = {}
    for (video, _, _), rows in buckets.items():
        by_video.setdefault(video, []).extend(rows)
    order = {video: [name for _, name in sorted(rows)] for video, rows in by_video.items()}
    acked = [name for names in outcome.comments.values() for name in names]
    times = Counter(name for names in order.values() for name in names)
    sizes = [len(rows) for rows in buckets.values()]
    found.figures["comments acknowledged"] = len(acked)
    if not acked:
        found.violations.append("nothing was acknowledged")
    found.figures["rows of comments"] = times.total()
    found.must_be_zero("comments lost", sum(name not in times for name in acked))
    found.must_be_zero("comments stored twice", sum(count > 1 for count in times.values()))
    unasked = times.total() - len(acked)
    found.figures["rows whose answer was no 201"] = unasked
    refused = sum(n for status, n in outcome.statuses.items() if status.startswith("comment "))
    if unasked > refused - outcome.statuses.get("comment 201", 0):
        found.violations.append(f"{unasked} rows that nobody sent")
    found.figures["buckets of comments"] = len(sizes)
    found.figures["buckets that are full"] = sum(size == bucket_rows for size in sizes)
    found.must_be_within("rows of the biggest bucket", max(sizes, default=0), bucket_rows)
    return order


def check_reactions(found: Findings, stored: StoredRows, outcome: Outcome) -> ReactionCounts:
    """Compare rows and totals of reactions with the acks; return what the totals must be.

    A comment with a reaction whose outcome nobody knows is left out: none, where none failed.
    """
    doubtful = {comment for comment, _ in outcome.doubtful}
    model: ReactionCounts = {}
    for comment, _, code in outcome.reactions:
        if code != NO_REACTION and comment not in doubtful:
            model.setdefault(comment, Counter())[code] += 1
    rows, partitions = stored.reactions()
    totals = stored.totals()
    found.figures["reactions acknowledged"] = outcome.reaction_acks
    found.figures["reactions that stand"] = sum(counts.total() for counts in model.values())
    found.figures["comments left out as in doubt"] = len(doubtful)
    found.must_be_zero("comments whose rows differ", _differ(rows, model, doubtful))
    found.must_be_zero("comments whose totals differ", _differ(totals, model, doubtful))
    found.figures["partitions of reactions"] = len(partitions)
    found.must_be_within(
        "rows of the biggest", max(partitions.values(), default=0), REACTION_ROWS_MAX
    )
    return model


def check_reading(
    found: Findings,
    port: int,
    order: dict[str, list[str]],
    model: ReactionCounts,
    *,
    doubtful: Sequence[tuple[str, str]],
) -> None:
    """Read all pages of all videos from a broker; compare ids, their order, and totals."""
    began = time.monotonic()
    read = {video: _all_pages(port, video) for video in order}
    found.figures["read by GET in s"] = time.monotonic() - began
    found.figures["pages"] = sum(-(-len(comments) // PAGE) for comments in read.values())
    ids = {video: [name for name, _ in comments] for video, comments in read.items()}
    missing = sum(len(set(order[video]) - set(ids[video])) for video in order)
    found.must_be_zero("missing in GET", missing)
    found.must_be_zero("videos out of order in GET", sum(ids[v] != order[v] for v in order))
    shown = {name: counts for name, counts in read.get(MAIN, []) if counts}
    excluded = {comment for comment, _ in doubtful}
    found.must_be_zero("totals that differ in GET", _differ(shown, model, excluded))


def _differ(found: ReactionCounts, model: ReactionCounts, left_out: set[str]) -> int:
    names = (found.keys() | model.keys()) - left_out
    return sum(found.get(name) != model.get(name) for name in names)


def _all_pages(port: int, video: str) -> list[tuple[str, Counter[int]]]:
    """Return (id, counts by code) of a video's comments, by following `Link` to the end."""
    comments: list[tuple[str, Counter[int]]] = []
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=GET_TIME)
    path: str | None = f"/live/{video}/comments?limit={PAGE}"
    try:
        while path is not None:
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read()
            if response.status == 503:  # a fresh broker opens the partition first
                time.sleep(float(response.headers.get("Retry-After", "1")))
                continue
            if response.status != 200:
                raise RuntimeError(f"GET {path} was answered {response.status}: {body!r}")
            comments += [_comment(comment) for comment in msgspec.json.decode(body)]
            link = re.match(r'<([^>]*)>; rel="next"', response.headers.get("Link", ""))
            path = link[1] if link else None
    finally:
        connection.close()
    return comments


def _comment(comment: dict[str, object]) -> tuple[str, Counter[int]]:
    reactions = comment.get("reactions") or {}
    assert isinstance(reactions, dict)  # noqa: S101 - by the protocol
    return str(comment["commentID"]), Counter({_PLURALS[k]: n for k, n in reactions.items() if n})
