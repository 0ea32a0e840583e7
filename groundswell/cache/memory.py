"""The cache in this process's memory; bounded, and driven by a clock."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from groundswell.cache.claims import Claims
from groundswell.cache.counts import ReactionCounts
from groundswell.cache.gcra import RateLimits
from groundswell.contract.clock import Clock
from groundswell.contract.partition import key_hash64
from groundswell.contract.ports.cache import Change, Claim, HotPage, Rate, Seed

VIEWERS_S = 15.0
PAGES_MAX = 1_000  # of about 30 KB; the videos written longest ago go


@dataclass(frozen=True, slots=True)
class CacheStatistics:
    """How much is in the cache, for the metrics."""

    limits: int  # keys
    claims: int
    comments: int  # with counts
    codes: int  # users' reactions to them
    videos: int  # with viewers


class MemoryCache:
    """A `Cache` for one process; it never raises `CacheUnavailable`."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._limits = RateLimits()
        self._claims = Claims()
        self._counts = ReactionCounts()
        # video -> process -> (viewers, when that is forgotten); videos in order of last report
        self._pages: OrderedDict[str, HotPage] = OrderedDict()
        self._viewers: OrderedDict[str, dict[str, tuple[int, float]]] = OrderedDict()

    async def start(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to let go."""

    def available(self) -> bool:
        """Return True: this process's memory is always there."""
        return True

    def statistics(self) -> CacheStatistics:
        """Return how much is held."""
        return CacheStatistics(
            limits=len(self._limits),
            claims=len(self._claims),
            comments=len(self._counts),
            codes=self._counts.codes,
            videos=len(self._viewers),
        )

    async def take(self, key: str, rate: Rate) -> float:
        """Take one from a limit; see `Cache`."""
        return self._limits.take(key, rate, self._clock.monotonic())

    async def take_all(self, limits: Sequence[tuple[str, Rate]]) -> float:
        """Take one from each of several limits, or from none; see `Cache`."""
        return self._limits.take_all(limits, self._clock.monotonic())

    async def claim(
        self, video_id: str, user_id: str, key: str, *, comment_id: str, time_ms: int, digest: int
    ) -> Claim:
        """Enter an idempotency key; see `Cache`."""
        return self._claims.claim(
            key_hash64(video_id, user_id, key),
            comment_id=comment_id,
            time_ms=time_ms,
            digest=digest,
            now=self._clock.monotonic(),
        )

    async def mark_done(self, video_id: str, user_id: str, key: str, *, offset: int) -> None:
        """Say that the record of a claim is in the log."""
        self._claims.mark_done(key_hash64(video_id, user_id, key), offset=offset)

    def restore_claim(
        self,
        key_hash: int,
        *,
        comment_id: str,
        time_ms: int,
        digest: int,
        offset: int,
        append_ms: int,
    ) -> None:
        """Enter the claim of an event that is in the log, at the start of the process.

        Feed it the events of the last 10 minutes in log order: of one key the first stands.
        `append_ms` is the record's append time; a claim expires 10 minutes after it.
        """
        self._claims.restore(
            key_hash,
            Claim(comment_id, time_ms, digest, fresh=False, done=True, offset=offset),
            age=(self._clock.wall_ms() - append_ms) / 1000,
            now=self._clock.monotonic(),
        )

    async def react(self, changes: Sequence[Change]) -> list[tuple[int, ...] | None]:
        """Apply wishes in order; see `Cache`."""
        return [self._counts.react(change) for change in changes]

    async def seed(self, seeds: Sequence[Seed]) -> None:
        """Enter what the store knows; see `Cache`."""
        for seed in seeds:
            self._counts.seed(seed)

    async def put_page(self, video_id: str, page: HotPage) -> None:
        """Keep a page unless there is a newer one."""
        there = self._pages.get(video_id)
        if there is None or (page.generation, page.upto) >= (there.generation, there.upto):
            self._pages[video_id] = page
        self._pages.move_to_end(video_id)
        if len(self._pages) > PAGES_MAX:
            self._pages.popitem(last=False)

    async def page(self, video_id: str) -> HotPage | None:
        """Return a video's newest page, if there is one."""
        return self._pages.get(video_id)

    async def report_viewers(self, video_id: str, process: str, viewers: int) -> None:
        """Say how many viewers a process holds; forgotten after 15 s."""
        now = self._clock.monotonic()
        self._viewers.setdefault(video_id, {})[process] = (viewers, now + VIEWERS_S)
        self._viewers.move_to_end(video_id)
        oldest = next(iter(self._viewers))
        if all(expires <= now for _, expires in self._viewers[oldest].values()):
            del self._viewers[oldest]

    async def viewers(self, video_id: str) -> int:
        """Return how many viewers all processes hold."""
        processes = self._viewers.get(video_id)
        if processes is None:
            return 0
        now = self._clock.monotonic()
        for process in [name for name, (_, expires) in processes.items() if expires <= now]:
            del processes[process]
        return sum(viewers for viewers, _ in processes.values())
