"""A log on SQLite with a clock that the test moves."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from groundswell.contract import faultpoints
from groundswell.log import SqliteLog
from tests.clocks import FakeClock
from tests.log.harness.kafka_bench import KafkaBench


class LogFolder:
    """Opens the log of one folder, and closes what a test left open."""

    def __init__(self, path: Path, clock: FakeClock) -> None:
        self.path = path
        self._clock = clock
        self._logs: list[SqliteLog] = []

    async def open(self, **options: object) -> SqliteLog:
        log = SqliteLog(self.path, **{"clock": self._clock, "partitions": 4, **options})
        await log.start()
        self._logs.append(log)
        return log

    async def close(self) -> None:
        for log in self._logs:
            await log.close()


@pytest.fixture
def clock() -> FakeClock:
    """The log's clock."""
    return FakeClock()


@pytest.fixture
async def folder(tmp_path: Path, clock: FakeClock) -> AsyncIterator[LogFolder]:
    """A folder for one log file."""
    made = LogFolder(tmp_path / "log.db", clock)
    yield made
    faultpoints.disarm()
    await made.close()


@pytest.fixture
async def kafka() -> AsyncIterator[KafkaBench]:
    """Topics, logs and proxies of the test's own."""
    made = KafkaBench()
    yield made
    await made.close()
