"""The engines that the contract suites run on. A new engine is one more class and one more param.

An engine's harness makes the thing under test, stops it and starts it again on the same data, and
knows how to make the engine do at once what it otherwise does in time.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

import pytest

from groundswell.cache import MemoryCache
from groundswell.cache.redis_cache import RedisCache
from groundswell.contract.ports.cache import Cache
from groundswell.contract.ports.log import COMPACTED, Log, Topic
from groundswell.contract.settings import KafkaSettings, RedisSettings
from groundswell.log import SqliteLog
from groundswell.log.kafka_log import KafkaLog
from tests.cache.harness.own_redis import own_prefix, remove_keys
from tests.clocks import FakeClock
from tests.log.harness.own_kafka import (
    Markers,
    delete_topics,
    make_topics,
    new_log,
    own_settings,
)


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


class KafkaEngine:
    """Topics of the test's own in the Kafka that the environment names, deleted at its end."""

    def __init__(self, _folder: Path) -> None:
        self._settings: dict[int, KafkaSettings] = {}
        self._logs: list[KafkaLog] = []

    async def make(self) -> Log:
        settings = own_settings()
        await make_topics(settings)
        return await self._start(settings)

    async def restart(self, log: Log) -> Log:
        await log.close()
        return await self._start(self._settings[id(log)])

    async def wait_compacted(self, log: Log) -> None:
        """Wait until two looks of the cleaner left nothing that is superseded."""
        settings = self._settings[id(log)]
        places = [(topic, n) for topic in COMPACTED for n in range(log.partitions(topic))]
        async with Markers(settings) as markers, asyncio.timeout(30):
            while not await _compacted(log, places):
                await markers.write(places)

    async def pass_time(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def close(self) -> None:
        for log in self._logs:
            await log.close()
        for settings in set(self._settings.values()):
            await delete_topics(settings)

    async def _start(self, settings: KafkaSettings) -> Log:
        log = new_log(settings)
        await log.start()
        self._logs.append(log)
        self._settings[id(log)] = settings
        return log


async def _compacted(log: Log, places: list[tuple[Topic, int]]) -> bool:
    """Tell whether every key has one record, and none of them is a tombstone but the last."""
    for topic, partition in places:
        at, end = await log.bounds(topic, partition)
        keys: list[bytes | None] = []
        while at < end:
            batch = await log.read(topic, partition, at)
            keys += [record.key for record in batch.records]
            if any(record.value is None for record in batch.records):
                return False
            at = batch.end
        if len(set(keys)) < len(keys):
            return False
    return True


@pytest.fixture(params=["sqlite", pytest.param("kafka", marks=pytest.mark.stack)])
async def engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[LogEngine]:
    """Every engine of the log."""
    engines: dict[str, type[SqliteEngine | KafkaEngine]] = {
        "sqlite": SqliteEngine,
        "kafka": KafkaEngine,
    }
    made = engines[request.param](tmp_path)
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


@contextlib.asynccontextmanager
async def memory_cache(clock: FakeClock) -> AsyncIterator[Cache]:
    """Yield a cache in memory, which asks the clock."""
    yield MemoryCache(clock=clock)


@contextlib.asynccontextmanager
async def redis_cache(clock: FakeClock) -> AsyncIterator[Cache]:
    """Yield a cache on keys of its own in Redis, which is told the clock's time."""
    url = os.environ.get("GROUNDSWELL_REDIS_URL")
    if not url:
        pytest.skip("GROUNDSWELL_REDIS_URL names no Redis")
    # What is slow here is the machine that runs the tests.
    settings = RedisSettings(url=url, prefix=own_prefix(), timeout=5.0)
    yield RedisCache(settings, clock=clock, now=lambda: round(clock.monotonic() * 1_000_000))
    await remove_keys(url, settings.prefix)


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.stack)])
async def cache(request: pytest.FixtureRequest, clock: FakeClock) -> AsyncIterator[Cache]:
    """Every engine of the cache."""
    engines = {"memory": memory_cache, "redis": redis_cache}
    async with engines[request.param](clock) as made:
        await made.start()
        yield made
        await made.close()
