"""The counts that a reaction is answered with: at once, from the cache, seeded from the store.

They are a courtesy. The truth is what the tally counts from the log; these agree with it as soon
as the cache was seeded with what the tally wrote.
"""

import asyncio
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from groundswell.contract.clock import Clock
from groundswell.contract.events import Reaction
from groundswell.contract.ports.cache import Cache, CacheUnavailable, Change, Seed
from groundswell.contract.ports.store import CommentStore, StoreUnavailable, Totals
from groundswell.contract.reactions import NO_COUNTS, Counts

_HEARTS_FRESH: Final = 2.0  # seconds between two looks at a video's stored hearts
_HEARTS_REMEMBERED: Final = 10_000  # videos


class ReactionCounts:
    """Counts of comments after reactions: one question to the cache for all of them."""

    def __init__(self, cache: Cache, store: CommentStore) -> None:
        self._cache = cache
        self._store = store

    async def after(self, reactions: Sequence[tuple[Reaction, int]]) -> list[Counts]:
        """Return for each reaction the counts of its comment, as well as they are known.

        With each comes the offset of its record in its partition of `reactions`.
        """
        changes = [Change(r.video_id, r.comment_id, r.user_id, r.code) for r, _ in reactions]
        counts = await self._ask_cache(changes)
        missing = [index for index, known in enumerate(counts) if known is None]
        if missing:
            seeds = await self._load([(changes[index], reactions[index][1]) for index in missing])
            asked = await self._seed_and_ask([changes[index] for index in missing], seeds)
            for index, known in zip(missing, asked, strict=True):
                counts[index] = known
        return [NO_COUNTS if known is None else known for known in counts]

    async def _ask_cache(self, changes: Sequence[Change]) -> list[Counts | None]:
        try:
            return list(await self._cache.react(changes))
        except CacheUnavailable:
            return [None] * len(changes)

    async def _seed_and_ask(
        self, changes: Sequence[Change], seeds: dict[str, Seed]
    ) -> list[Counts | None]:
        stored = [
            seed.counts if (seed := seeds.get(change.comment_id)) else None for change in changes
        ]
        if not seeds:  # the store is away too; seeding zeros would make the cache lie
            return list(stored)
        try:
            await self._cache.seed(list(seeds.values()))
        except CacheUnavailable:
            return list(stored)
        counts = await self._ask_cache(changes)
        return [
            known if known is not None else best for known, best in zip(counts, stored, strict=True)
        ]

    async def _load(self, changes: Sequence[tuple[Change, int]]) -> dict[str, Seed]:
        by_video: dict[str, list[tuple[Change, int]]] = {}
        for change, offset in changes:
            by_video.setdefault(change.video_id, []).append((change, offset))
        loaded = await asyncio.gather(*(self._load_video(*item) for item in by_video.items()))
        return {seed.comment_id: seed for seeds in loaded for seed in seeds}

    async def _load_video(self, video_id: str, changes: Sequence[tuple[Change, int]]) -> list[Seed]:
        by_comment: dict[str, list[tuple[Change, int]]] = {}
        for change, offset in changes:
            by_comment.setdefault(change.comment_id, []).append((change, offset))
        pairs = [(change.comment_id, change.user_id) for change, _ in changes]
        try:
            # In this order: the totals may be newer than the codes, and say by how much.
            codes = await self._store.reactions_of(video_id, pairs)
            totals = await self._store.totals(video_id, list(by_comment))
        except StoreUnavailable:
            return []
        return [_seed(totals.get(each), wishes, codes) for each, wishes in by_comment.items()]


def _seed(
    totals: Totals | None,
    wishes: Sequence[tuple[Change, int]],
    codes: Mapping[tuple[str, str], int],
) -> Seed:
    """Put together what was read while the tally may have been writing."""
    [comment_id] = {change.comment_id for change, _ in wishes}
    seed = Seed(comment_id, tuple(NO_COUNTS) if totals is None else totals.counts, {})
    for change, offset in wishes:
        user, code = change.user_id, codes.get((comment_id, change.user_id), 0)
        seed.codes[user] = code
        if totals is not None and totals.offset >= offset:
            # The tally was faster than we: the totals have this wish. What the user felt before
            # it is known only where the codes were read in time; most felt nothing.
            seed.codes[user] = change.code
            seed.earlier[user] = code if code != change.code else 0
    return seed


@dataclass(slots=True)
class _Hearts:
    counts: tuple[int, ...]
    looked: float  # monotonic time of the last look at the store


class HeartCounts:
    """Hearts of videos, approximate and never falling.

    What this process counted since it last looked is added to what it knew; a look at the store
    takes the greater of the two. Other processes' hearts show up with the next look.
    """

    def __init__(self, store: CommentStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._known: dict[str, _Hearts] = {}

    async def after(self, video_id: str, added: Counts) -> Counts:
        """Return the counts of a video after these hearts."""
        hearts = self._known.get(video_id)
        now = self._clock.monotonic()
        if hearts is None or now - hearts.looked >= _HEARTS_FRESH:
            stored = await self._stored(video_id)
            before = hearts.counts if hearts is not None else tuple(NO_COUNTS)
            while hearts is None and len(self._known) >= _HEARTS_REMEMBERED:
                del self._known[next(iter(self._known))]
            hearts = self._known[video_id] = _Hearts(tuple(map(max, before, stored)), now)
        hearts.counts = tuple(map(operator.add, hearts.counts, added))
        return hearts.counts

    async def _stored(self, video_id: str) -> tuple[int, ...]:
        try:
            sources = await self._store.hearts(video_id)
        except StoreUnavailable:
            return tuple(NO_COUNTS)
        width = len(NO_COUNTS)
        rows = [(*source.counts, *NO_COUNTS)[:width] for source in sources]
        return tuple(map(sum, zip(*rows, strict=True))) if rows else tuple(NO_COUNTS)
