"""The engines that the contract suites run on. A new engine is one more class and one more param.

An engine's harness makes the thing under test, stops it and starts it again on the same data, and
knows how to make the engine do at once what it otherwise does in time.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

import pytest

from groundswell.cache import MemoryCache
from groundswell.contract.ports.cache import Cache
from groundswell.contract.ports.log import Log
from groundswell.log import SqliteLog
from tests.clocks import FakeClock


class LogEngine(Protocol):
    """What the suite needs of an engine of the log."""

    async def make(self) -> Log:
        """Return a new, empty, started log."""
        ...

    async def restart(self, log: Log) -> Log:
        """Close a log and start it again on the same data."""
        ...

    async def wait_compacted(self, log: Log) -> None:
        """Return once everything that compaction may remove has been removed."""
        ...

    async def pass_time(self, seconds: float) -> None:
        """Return when append times have moved on by so much."""
        ...


class SqliteEngine:
    """Files in a folder of the test's own, and a clock that the test moves."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._clock = FakeClock()
        self._paths: dict[int, Path] = {}
        self._logs: list[SqliteLog] = []

    async def make(self) -> Log:
        return await self._start(self._folder / f"log-{len(self._logs)}.db")

    async def restart(self, log: Log) -> Log:
        await log.close()
        return await self._start(self._paths[id(log)])

    async def wait_compacted(self, log: Log) -> None:
        self._clock.advance(1)  # past the time that tombstones are kept
        assert isinstance(log, SqliteLog)
        await log.run_upkeep()

    async def pass_time(self, seconds: float) -> None:
        self._clock.advance(seconds)

    async def close(self) -> None:
        for log in self._logs:
            await log.close()

    async def _start(self, path: Path) -> Log:
        log = SqliteLog(path, clock=self._clock, partitions=4, tombstone_ms=500)
        await log.start()
        self._logs.append(log)
        self._paths[id(log)] = path
        return log


@pytest.fixture(params=["sqlite"])
async def engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[LogEngine]:
    """Every engine of the log."""
    made = {"sqlite": SqliteEngine}[request.param](tmp_path)
    yield made
    await made.close()


@pytest.fixture
async def log(engine: LogEngine) -> Log:
    """A new, empty, started log."""
    return await engine.make()


@pytest.fixture
def clock() -> FakeClock:
    """The clock that the cache is driven by."""
    return FakeClock()


@pytest.fixture(params=["memory"])
async def cache(request: pytest.FixtureRequest, clock: FakeClock) -> AsyncIterator[Cache]:
    """Every engine of the cache."""
    made = {"memory": MemoryCache}[request.param](clock=clock)
    await made.start()
    yield made
    await made.close()
