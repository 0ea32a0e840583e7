"""What the tally keeps in memory: the rows of comments, and the counts of them."""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field

from groundswell.contract.ports.store import HeartTotals, ReactionRow
from groundswell.contract.reactions import REACTION_TYPES

CommentKey = tuple[str, str]
"""(video id, comment id)"""


@dataclass(slots=True, eq=False)
class CountedComment:
    """A comment's rows and their count; `offset` is that of the newest row."""

    rows: dict[str, tuple[int, int]] = field(default_factory=dict)  # user -> (code, offset)
    counts: list[int] = field(default_factory=lambda: [0] * len(REACTION_TYPES))
    offset: int = -1
    pins: int = 0  # batches under way that changed it: it must not be forgotten

    @classmethod
    def of_rows(cls, rows: Iterable[ReactionRow]) -> "CountedComment":
        """Count what the store has."""
        counted = cls()
        for row in rows:
            counted.react(row.user_id, row.code, row.offset)
        return counted

    def react(self, user_id: str, code: int, offset: int) -> bool:
        """Enter what a user feels; returns whether that changed anything.

        False also where the row is as new as this or newer: a replay.
        """
        before = self.rows.get(user_id)
        if before is None:
            if code == 0:
                return False
        else:
            old_code, old_offset = before
            if offset <= old_offset or code == old_code:
                return False
            if old_code:
                self.counts[old_code - 1] -= 1
        if code:
            self.counts[code - 1] += 1
        self.rows[user_id] = (code, offset)
        self.offset = max(self.offset, offset)
        return True


@dataclass(slots=True, eq=False)
class CountedHearts:
    """A video's hearts of one source, up to and with the record at `offset`."""

    counts: list[int] = field(default_factory=lambda: [0] * len(REACTION_TYPES))
    offset: int = -1
    pins: int = 0

    @classmethod
    def of_totals(cls, totals: HeartTotals | None) -> "CountedHearts":
        """Go on from what the store has."""
        if totals is None:
            return cls()
        padding = [0] * (len(REACTION_TYPES) - len(totals.counts))
        return cls([*totals.counts, *padding], totals.offset)

    def add(self, counts: Iterable[int]) -> None:
        """Count more."""
        for index, count in enumerate(counts):
            self.counts[index] += count


class CountedComments:
    """The comments of one partition that were reacted to last, bounded by their rows.

    Pinned ones stay whatever the bound; so does the one used last, as a comment that alone is
    over the bound would else be loaded anew for every batch.
    """

    def __init__(self, *, rows_max: int) -> None:
        self._rows_max = rows_max
        self._rows = 0  # a comment counts as one row by itself, so that empty ones are bounded too
        self._by_key: OrderedDict[CommentKey, CountedComment] = OrderedDict()

    def __len__(self) -> int:
        return len(self._by_key)

    def __contains__(self, key: CommentKey) -> bool:
        return key in self._by_key

    def add(self, key: CommentKey, comment: CountedComment) -> None:
        """Keep a comment that is not kept yet."""
        self._by_key[key] = comment
        self._rows += 1 + len(comment.rows)

    def react(self, key: CommentKey, user_id: str, code: int, offset: int) -> CountedComment | None:
        """Enter a reaction to a comment that is kept; return the comment if that changed it."""
        comment = self._by_key[key]
        self._by_key.move_to_end(key)
        before = len(comment.rows)
        changed = comment.react(user_id, code, offset)
        self._rows += len(comment.rows) - before
        return comment if changed else None

    def forget_oldest(self) -> None:
        """Come back under the bound, as far as pins allow."""
        if self._rows <= self._rows_max:
            return
        rows = self._rows
        oldest: list[CommentKey] = []
        newest = next(reversed(self._by_key))
        for key, comment in self._by_key.items():
            if rows <= self._rows_max or key == newest:
                break
            if not comment.pins:
                rows -= 1 + len(comment.rows)
                oldest.append(key)
        for key in oldest:
            del self._by_key[key]
        self._rows = rows
