"""Cassandra itself, read beside the product: what is applied, which rows there are, how many."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from groundswell.bench.keyspace import reading
from groundswell.contract.ports.store import Projection

ReactionCounts = dict[str, Counter[int]]
"""Comment id -> how many rows have each code; code 0 is left out."""

# Scans: a check must not know by which rule partitions of reactions are chosen.
_APPLIED = 'SELECT "offset" FROM applied WHERE generation = %s AND projection = %s AND partition = '
_BUCKETS = "SELECT DISTINCT video_id, generation, bucket FROM comments"
_COMMENTS = """SELECT "offset", comment_id FROM comments
    WHERE video_id = %s AND generation = %s AND bucket = %s"""
_REACTIONS = "SELECT video_id, bucket, slot, comment_id, code FROM reactions"
_TOTALS = "SELECT comment_id, counts FROM totals"
_SCAN_TIME = 120.0  # seconds
Bucket = tuple[str, int, int]


class StoredRows:
    """One keyspace. Methods block."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def applied(self, projection: Projection, partitions: int, *, generation: int) -> int:
        """Return the sum of a projection's applied offsets."""
        futures = [
            self._session.execute_async(f"{_APPLIED}{partition}", (generation, projection.value))
            for partition in range(partitions)
        ]
        return sum(row[0] for future in futures for row in future.result())

    def comments(self) -> dict[Bucket, list[tuple[int, str]]]:
        """Return (offset, comment id) of all rows by (video, generation, bucket), as they lie."""
        buckets = [tuple(row) for row in self._rows(_BUCKETS)]
        return {bucket: list(self._rows(_COMMENTS, *bucket)) for bucket in sorted(buckets)}

    def reactions(self) -> tuple[ReactionCounts, Counter[tuple[str, int, int]]]:
        """Return the count of rows by comment and code, and rows by partition."""
        counts: ReactionCounts = {}
        partitions: Counter[tuple[str, int, int]] = Counter()
        for video_id, bucket, slot, comment_id, code in self._rows(_REACTIONS):
            partitions[video_id, bucket, slot] += 1
            if code:
                counts.setdefault(comment_id, Counter())[code] += 1
        return counts, partitions

    def totals(self) -> ReactionCounts:
        """Return what the table of totals says; zeros are left out."""
        found: ReactionCounts = {}
        for comment_id, text in self._rows(_TOTALS):
            counts = {code: n for code, n in enumerate(json.loads(text), start=1) if n}
            if counts:
                found[comment_id] = Counter(counts)
        return found

    def _rows(self, query: str, *values: object) -> Iterator[tuple[Any, ...]]:
        rows: Iterator[tuple[Any, ...]] = iter(
            self._session.execute(query, values, timeout=_SCAN_TIME)
        )
        return rows


@contextmanager
def stored_rows(env: Mapping[str, str]) -> Iterator[StoredRows]:
    """Connect to the keyspace that these variables name, for as long as the block lasts."""
    with reading(env) as session:
        yield StoredRows(session)
