"""Counts of reactions right now, of the comments that were reacted to lately."""

from collections import OrderedDict
from itertools import islice

from groundswell.contract.ports.cache import Change, Seed
from groundswell.contract.reactions import NO_COUNTS, NO_REACTION

COMMENTS_MAX = 50_000
CODES_MAX = 1_000_000  # users of all comments together, about 120 bytes each


class _Comment:
    __slots__ = ("codes", "counts")

    def __init__(self, counts: list[int]) -> None:
        self.counts = counts
        self.codes: dict[str, int] = {}  # user -> code, of users that were seeded or reacted


class ReactionCounts:
    """Comments by last use; those used longest ago are forgotten and seeded again when needed."""

    def __init__(self, *, comments_max: int = COMMENTS_MAX, codes_max: int = CODES_MAX) -> None:
        self._comments_max = comments_max
        self._codes_max = codes_max
        self._comments: OrderedDict[str, _Comment] = OrderedDict()
        self.codes = 0

    def __len__(self) -> int:
        return len(self._comments)

    def react(self, change: Change) -> tuple[int, ...] | None:
        """Apply a wish; the comment's counts after it, None where something is not known."""
        comment = self._comments.get(change.comment_id)
        if comment is None:
            return None
        old = comment.codes.get(change.user_id)
        if old is None:
            return None
        self._comments.move_to_end(change.comment_id)
        if old != change.code:
            counts = comment.counts
            if old != NO_REACTION:
                # The store may have been behind when it was asked for the totals.
                counts[old - 1] = max(0, counts[old - 1] - 1)
            if change.code != NO_REACTION:
                counts[change.code - 1] += 1
            comment.codes[change.user_id] = change.code
        return tuple(comment.counts)

    def seed(self, seed: Seed) -> None:
        """Enter totals and users' codes, where there are none yet."""
        comment = self._comments.get(seed.comment_id)
        codes = seed.codes
        if comment is None:
            counts = [*seed.counts, *NO_COUNTS[len(seed.counts) :]]
            comment = self._comments[seed.comment_id] = _Comment(counts)
        else:
            self._comments.move_to_end(seed.comment_id)
            codes = codes | seed.earlier
        before = len(comment.codes)
        for user, code in codes.items():
            comment.codes.setdefault(user, code)
        self.codes += len(comment.codes) - before
        self._shrink()

    def _shrink(self) -> None:
        while len(self._comments) > self._comments_max or (
            self.codes > self._codes_max and len(self._comments) > 1
        ):
            _, comment = self._comments.popitem(last=False)
            self.codes -= len(comment.codes)
        if self.codes > self._codes_max:  # one comment alone: forget the users seen first
            (comment,) = self._comments.values()
            comment.codes = dict(islice(comment.codes.items(), self.codes // 2, None))
            self.codes = len(comment.codes)
