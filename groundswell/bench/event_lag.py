"""How far the projections are behind the log, from the log's ends and Cassandra's applied offsets.

Read past the product: a gauge would be silent about partitions that nobody owns for a while.
"""

import asyncio
import time
from dataclasses import dataclass, field

from groundswell.bench.durable_store import StoredRows
from groundswell.contract.clock import SystemClock
from groundswell.contract.ports.log import Log, Topic
from groundswell.contract.ports.store import Projection
from groundswell.contract.settings import Settings

INTERVAL_S = 1.0
_TOPICS = {Projection.COMMENTS: Topic.EVENTS, Projection.TALLY: Topic.REACTIONS}


@dataclass(slots=True)
class LagWatch:
    """Follows the lag from `start` on; `start`, `close` in order. Belongs to one event loop."""

    settings: Settings
    stored: StoredRows
    most: dict[Projection, int] = field(default_factory=dict)
    series: list[tuple[float, dict[Projection, int]]] = field(default_factory=list)
    _log: Log | None = None
    _task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Connect and follow."""
        # Imported here: a bench of the embedded engines needs no driver.
        from groundswell.log.kafka_log import KafkaLog

        self._log = KafkaLog(self.settings.kafka, clock=SystemClock())
        await self._log.start()
        self._task = asyncio.create_task(self._follow())

    async def close(self) -> None:
        """Let go."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        if self._log is not None:
            await self._log.close()

    async def drain(self, *, within: float) -> float | None:
        """Return the seconds until nothing is behind any more; None: not within that time."""
        began = time.monotonic()
        while (elapsed := time.monotonic() - began) < within:
            if not any((await self._lag()).values()):
                return elapsed
            await asyncio.sleep(0.1)
        return None

    async def look(self) -> None:
        """Enter the lag of now."""
        lag = await self._lag()
        self.series.append((time.monotonic(), lag))
        for projection, records in lag.items():
            self.most[projection] = max(records, self.most.get(projection, 0))

    async def _follow(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(INTERVAL_S)

    async def _lag(self) -> dict[Projection, int]:
        assert self._log is not None  # noqa: S101 - started
        log, found = self._log, {}
        for projection, topic in _TOPICS.items():
            partitions = log.partitions(topic)
            # First what is applied: read the other way round, the lag could be below zero.
            applied = await asyncio.to_thread(
                self.stored.applied, projection, partitions, generation=log.generation()
            )
            ends = await asyncio.gather(*(log.bounds(topic, p) for p in range(partitions)))
            found[projection] = sum(bounds.end for bounds in ends) - applied
        return found
