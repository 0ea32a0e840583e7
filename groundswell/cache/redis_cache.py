"""The cache in Redis (or Valkey), one for all processes.

Nothing here is the only copy of anything. While Redis does not answer it is bypassed: every method
raises `CacheUnavailable` at once, and one probe a second looks whether it is back.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog

from groundswell.cache.redis_breaker import Breaker
from groundswell.cache.redis_flights import Argument, FlightCounts, Flights
from groundswell.cache.redis_pages import pack_page, unpack_page
from groundswell.cache.redis_scripts import (
    CLAIM,
    FORGET_COUNTS,
    MARK_DONE,
    PAGE,
    PUT_PAGE,
    REACT,
    REPORT_VIEWERS,
    SEED,
    TAKE,
    VIEWERS,
    Script,
)
from groundswell.cache.redis_wire import FAILURES, Wire, connection_maker
from groundswell.contract.clock import Clock
from groundswell.contract.partition import key_hash64
from groundswell.contract.ports.cache import CacheUnavailable, Change, Claim, HotPage, Rate, Seed
from groundswell.contract.settings import RedisSettings
from groundswell.contract.statistics import Count

PROBE_S: Final = 1.0  # between two looks whether Redis is back
WARN_S: Final = 1.0  # between two warnings
CONNECT_S: Final = 1.0  # for connecting at the start and in a probe, when nobody waits

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RedisStatistics:
    """How this process gets on with Redis."""

    available: int  # 1, or 0 while it is bypassed
    bypasses: Count  # how often that began
    commands: Count
    items: Count  # what those commands asked; many share one
    timeouts: Count
    errors: Count
    overloads: Count  # questions refused because too many waited


class RedisCache:
    """A `Cache` for many processes. `start` it before use; belongs to one event loop.

    `now`, in microseconds, stands for Redis' own clock where a test moves the time.
    """

    def __init__(
        self, settings: RedisSettings, *, clock: Clock, now: Callable[[], int] | None = None
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._now: Callable[[], Argument] = now or _servers_own
        self._prefix = settings.prefix
        self._era = f"{settings.prefix}counts"
        self._breaker = Breaker()
        self._counts = FlightCounts()
        self._wires: list[Wire] = []
        self._flights: list[Flights] = []
        self._probe: asyncio.Task[None] | None = None
        self._closed = False
        self._warned_at = float("-inf")
        # Redis may lack reactions that this process was told of: its counts are not to be believed.
        self._missed_reactions = False

    async def start(self) -> None:
        """Connect. A Redis that is away is bypassed until it is back.

        Raises `ValueError` for a URL that cannot be used, or a password that Redis refuses.
        """
        make = connection_maker(self._settings.url)
        # Three: long answers (pages) and long questions (reactions) must not delay comments.
        self._wires = [Wire(make) for _ in range(min(3, self._settings.connections))]
        self._flights = [
            Flights(
                wire,
                timeout=self._settings.timeout,
                breaker=self._breaker,
                counts=self._counts,
                now=self._now,
                failed=self._flight_failed,
            )
            for wire in self._wires
        ]
        self._gate_flights, self._count_flights, self._page_flights = (
            self._flights[n % len(self._flights)] for n in range(3)
        )
        try:
            await self._knock()
        except FAILURES as error:
            log.warning("redis is away", reason=_text_of(error))
            self._breaker.force_open()
            self._start_probe()

    async def close(self) -> None:
        """Let go. Idempotent."""
        self._closed = True
        probe, self._probe = self._probe, None
        if probe is not None:
            probe.cancel()
            await asyncio.wait([probe])
        for flights in self._flights:
            await flights.close()

    def available(self) -> bool:
        """Whether Redis is in use, or bypassed right now."""
        return not self._breaker.open

    def statistics(self) -> RedisStatistics:
        """Return counters for the metrics."""
        counts = self._counts
        return RedisStatistics(
            available=int(not self._breaker.open),
            bypasses=self._breaker.opens,
            commands=counts.commands,
            items=counts.items,
            timeouts=counts.timeouts,
            errors=counts.errors,
            overloads=counts.overloads,
        )

    async def take(self, key: str, rate: Rate) -> float:
        """Take one from a limit; see `Cache`."""
        return await self.take_all([(key, rate)])

    async def take_all(self, limits: Sequence[tuple[str, Rate]]) -> float:
        """Take one from each of several limits, or from none; see `Cache`."""
        arguments: list[Argument] = [len(limits)]
        for _, rate in limits:
            interval = round(1_000_000 / rate.per_second)
            arguments += (interval, interval * (rate.burst - 1))
        keys = [f"{self._prefix}limit:{key}" for key, _ in limits]
        (wait,) = await self._gate_flights.ask(TAKE, items=1, keys=keys, arguments=arguments)
        return float(wait) / 1_000_000

    async def claim(
        self, video_id: str, user_id: str, key: str, *, comment_id: str, time_ms: int, digest: int
    ) -> Claim:
        """Enter an idempotency key; see `Cache`."""
        (earlier,) = await self._gate_flights.ask(
            CLAIM,
            items=1,
            keys=(self._claim_key(video_id, user_id, key),),
            arguments=(f"{time_ms} {digest} {comment_id}",),
        )
        if earlier is None:
            return Claim(comment_id, time_ms, digest, fresh=True, done=False)
        return _claim_of(earlier)

    async def mark_done(self, video_id: str, user_id: str, key: str, *, offset: int) -> None:
        """Say that the record of a claim is in the log."""
        await self._gate_flights.ask(
            MARK_DONE,
            items=1,
            keys=(self._claim_key(video_id, user_id, key),),
            arguments=(offset,),
        )

    async def react(self, changes: Sequence[Change]) -> list[tuple[int, ...] | None]:
        """Apply wishes in order; see `Cache`."""
        try:
            if self._missed_reactions:
                await self._forget_counts()
            answers = await self._ask_in_parts(
                REACT, [(c.comment_id, c.user_id, c.code) for c in changes]
            )
        except CacheUnavailable:
            self._missed_reactions = True
            raise
        return [
            None if counts is None else tuple(map(int, counts.split(b","))) for counts in answers
        ]

    async def seed(self, seeds: Sequence[Seed]) -> None:
        """Enter what the store knows; see `Cache`."""
        await self._ask_in_parts(SEED, [_seed_arguments(seed) for seed in seeds])

    async def put_page(self, video_id: str, page: HotPage) -> None:
        """Keep a page unless there is a newer one."""
        await self._page_flights.ask(
            PUT_PAGE,
            items=1,
            keys=(f"{self._prefix}page:{video_id}",),
            arguments=(page.generation, page.upto, pack_page(page)),
        )

    async def page(self, video_id: str) -> HotPage | None:
        """Return a video's newest page, if there is one."""
        (packed,) = await self._page_flights.ask(
            PAGE, items=1, keys=(f"{self._prefix}page:{video_id}",)
        )
        return None if packed is None else unpack_page(packed)

    async def report_viewers(self, video_id: str, process: str, viewers: int) -> None:
        """Say how many viewers a process holds; forgotten after 15 s."""
        await self._page_flights.ask(
            REPORT_VIEWERS,
            items=1,
            keys=(f"{self._prefix}viewers:{video_id}",),
            arguments=(process, viewers),
        )

    async def viewers(self, video_id: str) -> int:
        """Return how many viewers all processes hold."""
        (viewers,) = await self._page_flights.ask(
            VIEWERS, items=1, keys=(f"{self._prefix}viewers:{video_id}",)
        )
        return int(viewers)

    def _claim_key(self, video_id: str, user_id: str, key: str) -> str:
        return f"{self._prefix}claim:{key_hash64(video_id, user_id, key):x}"

    async def _ask_in_parts(self, script: Script, items: Sequence[Sequence[Argument]]) -> list[Any]:
        """Ask about counts in as many commands as it takes; all of them share a flight."""
        parts = [
            items[start : start + script.items_max]
            for start in range(0, len(items), script.items_max)
        ]
        answers = await asyncio.gather(
            *(
                self._count_flights.ask(
                    script,
                    items=len(part),
                    keys=(self._era,),
                    arguments=[argument for item in part for argument in item],
                )
                for part in parts
            )
        )
        return [answer for part in answers for answer in part]

    async def _forget_counts(self) -> None:
        """Begin a new era: all processes seed what they count from the store again."""
        await self._count_flights.ask(FORGET_COUNTS, items=1, keys=(self._era,))
        self._missed_reactions = False

    def _flight_failed(self, reason: str) -> None:
        # Also of other questions than reactions: Redis may have come back from an old snapshot.
        self._missed_reactions = True
        now = self._clock.monotonic()
        if now - self._warned_at >= WARN_S:
            self._warned_at = now
            log.warning("redis failed", reason=reason, bypassed=self._breaker.open)
        if self._breaker.open:
            self._start_probe()

    def _start_probe(self) -> None:
        if self._probe is None and not self._closed:
            self._probe = asyncio.create_task(self._probe_until_back(), name="redis probe")

    async def _probe_until_back(self) -> None:
        since = self._clock.monotonic()
        reason = ""
        while True:
            await asyncio.sleep(PROBE_S)
            try:
                await self._knock()
            except (ValueError, *FAILURES) as error:
                if _text_of(error) != reason:  # said once, not every second
                    reason = _text_of(error)
                    log.warning("redis is still away", reason=reason)
                continue
            self._breaker.close()
            self._probe = None
            log.info("redis is back", away=round(self._clock.monotonic() - since, 1))
            if self._missed_reactions:
                with contextlib.suppress(CacheUnavailable):  # the next reaction tries again
                    await self._forget_counts()
            return

    async def _knock(self) -> None:
        """See that Redis answers in time on all wires, which nothing else uses meanwhile."""
        for wire in self._wires:
            async with asyncio.timeout(CONNECT_S):
                await wire.connect()
            async with asyncio.timeout(self._settings.timeout):
                await wire.load_scripts()


def _servers_own() -> Argument:
    return ""


def _text_of(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _seed_arguments(seed: Seed) -> list[Argument]:
    arguments: list[Argument] = [seed.comment_id, ",".join(map(str, seed.counts)), len(seed.codes)]
    for user, code in seed.codes.items():
        arguments += (user, code, seed.earlier.get(user, code))
    return arguments


def _claim_of(claim: bytes) -> Claim:
    _, offset, time_ms, digest, comment_id = claim.split(b" ", 4)
    done = offset != b"-"
    return Claim(
        comment_id.decode(),
        int(time_ms),
        int(digest),
        fresh=False,
        done=done,
        offset=int(offset) if done else None,
    )
