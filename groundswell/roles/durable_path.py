"""The role `persist`: one worker for each projection that the configuration names."""

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from groundswell.contract.clock import Clock
from groundswell.contract.ports.log import LogError
from groundswell.contract.ports.store import Projection, StoreUnavailable
from groundswell.contract.settings import Settings
from groundswell.persist.comments import comments_projection
from groundswell.persist.dead_letters import LogDeadLetters
from groundswell.persist.hot_pages import HotPages
from groundswell.persist.index import index_projection, index_totals_projection
from groundswell.persist.projection import ProjectionWorker
from groundswell.persist.tally import tally_projection
from groundswell.roles.engines import Engines
from groundswell.telemetry.metrics import StatisticsCollector

LAG_SECONDS = 1.0  # how old the lag in the metrics may be

Worker = ProjectionWorker[Any, Any]


@dataclass(frozen=True, slots=True)
class PersistLag:
    """How far a projection is behind the log."""

    lag_records: int


class DurablePath:
    """The workers of a process. `start`, `close` in order."""

    def __init__(
        self, settings: Settings, *, engines: Engines, collector: StatisticsCollector, clock: Clock
    ) -> None:
        # A cache of this process alone is read by nobody who does not remember as much himself.
        self._pages = (
            HotPages(engines.cache, engines.store, generation=engines.log.generation(), clock=clock)
            if settings.cache.engine != "memory"
            else None
        )
        self._workers = dict(_workers(settings.persist.projections, engines, self._pages))
        self._collector = collector
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Join the groups."""
        if self._pages is not None:
            await self._pages.start()
        for projection, worker in self._workers.items():
            await worker.start()
            lag = _Lag()
            labels = {"projection": projection.value}
            self._collector.register("persist", worker.statistics, labels=labels)
            self._collector.register("persist", lag.statistics, labels=labels)
            self._tasks.append(asyncio.create_task(lag.follow(worker), name=f"lag of {projection}"))

    async def close(self) -> None:
        """Write what is folded, leave the groups."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(worker.close() for worker in self._workers.values()))
        if self._pages is not None:
            await self._pages.close()


def _workers(
    names: tuple[str, ...], engines: Engines, pages: HotPages | None
) -> Iterator[tuple[Projection, Worker]]:
    log, store, index = engines.log, engines.store, engines.index
    letters = LogDeadLetters(log)
    generation = log.generation()
    if Projection.COMMENTS in names:
        yield (
            Projection.COMMENTS,
            comments_projection(log, store, dead_letters=letters, pages=pages),
        )
    if Projection.TALLY in names:
        yield (
            Projection.TALLY,
            tally_projection(log, store, dead_letters=letters, generation=generation),
        )
    if Projection.INDEX in names:
        yield Projection.INDEX, index_projection(log, index, dead_letters=letters)
        yield (
            Projection.INDEX_TOTALS,
            index_totals_projection(log, index, dead_letters=letters),
        )


class _Lag:
    """Asks a projection for its lag every second: metrics are read without waiting."""

    def __init__(self) -> None:
        self._records = 0

    def statistics(self) -> PersistLag:
        return PersistLag(self._records)

    async def follow(self, worker: Worker) -> None:
        while True:
            with contextlib.suppress(LogError, StoreUnavailable):
                self._records = await worker.lag()
            await asyncio.sleep(LAG_SECONDS)
