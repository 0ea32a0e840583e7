"""A log of a test's own on Kafka, and what keeps writing to it."""

import asyncio
from collections.abc import Callable

from groundswell.contract.ports.log import Topic
from groundswell.contract.settings import KafkaSettings
from groundswell.log.kafka_log import KafkaLog
from tests.log.harness.own_kafka import delete_topics, make_topics, new_log, own_settings
from tests.log.harness.proxy import Proxy

DEADLINE_SECONDS = 20.0
POLL_SECONDS = 0.005


async def wait_until(condition: Callable[[], object]) -> None:
    """Wait for a condition, at most until the deadline."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not condition():  # noqa: ASYNC110  # any condition, not one with an event
            await asyncio.sleep(POLL_SECONDS)


class KafkaBench:
    """Makes topics, opens logs on them, directly or through a proxy, and removes all of it."""

    def __init__(self) -> None:
        self.logs: list[KafkaLog] = []
        self._made: list[KafkaSettings] = []
        self._proxies: list[Proxy] = []

    async def topics(self, **options: object) -> KafkaSettings:
        """Return settings whose topics are there."""
        settings = own_settings(**options)
        self._made.append(settings)
        await make_topics(settings)
        return settings

    async def proxy(self, settings: KafkaSettings) -> Proxy:
        """Return a proxy to the first server."""
        host, _, port = settings.servers[0].rpartition(":")
        proxy = Proxy(host, int(port))
        await proxy.start()
        self._proxies.append(proxy)
        return proxy

    def log(
        self, settings: KafkaSettings, *, through: Proxy | None = None, **options: object
    ) -> KafkaLog:
        """Return a log that was not started."""
        if through is not None:
            host, _, port = settings.servers[0].rpartition(":")
            options["routes"] = {(host, int(port)): ("127.0.0.1", through.port)}
        log = new_log(settings, **options)
        self.logs.append(log)
        return log

    async def started(self, settings: KafkaSettings, **options: object) -> KafkaLog:
        """Return a log that is open."""
        log = self.log(settings, **options)
        await log.start()
        return log

    async def close(self) -> None:
        """Close and delete everything."""
        for proxy in self._proxies:
            proxy.let_through()
        for log in self.logs:
            await log.close()
        for proxy in self._proxies:
            await proxy.stop()
        for settings in self._made:
            await delete_topics(settings)


class Reading:
    """A task that collects what a tail or a member of a group gives."""

    def __init__(self, reader: object) -> None:
        self.found: list[tuple[int, int, bytes | None]] = []
        self.error: BaseException | None = None
        self._reader = reader
        self._task = asyncio.create_task(self._run())

    def offsets(self, partition: int) -> list[int]:
        """Return the offsets of one partition in the order in which they came."""
        return [offset for at, offset, _ in self.found if at == partition]

    async def _run(self) -> None:
        try:
            while True:
                for batch in await self._reader.next_batches():
                    self.found += [(batch.partition, r.offset, r.value) for r in batch.records]
        except Exception as error:  # noqa: BLE001  # the test looks at it
            self.error = error

    async def stop(self) -> None:
        """End it."""
        self._task.cancel()
        await asyncio.wait([self._task])


async def append_all(log: KafkaLog, values: range, *, partition: int = 0) -> list[int]:
    """Append numbers at once and return their offsets."""
    answers = await asyncio.gather(
        *[log.append(Topic.EVENTS, partition, b"%d" % value) for value in values]
    )
    return [answer.offset for answer in answers]
