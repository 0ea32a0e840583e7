"""The engines that the configuration names, opened in the order they depend on each other."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import structlog

from groundswell.accounts import SqlAccounts, SqlIndex, migrate, sqlite_url
from groundswell.accounts.engine import FILE_NAME as ACCOUNTS_FILE
from groundswell.cache import MemoryCache
from groundswell.contract.clock import Clock
from groundswell.contract.ports.accounts import AccountsUnavailable
from groundswell.contract.ports.cache import Cache
from groundswell.contract.ports.log import Log, LogUnavailable, Topic
from groundswell.contract.ports.store import CommentStore, Projection, StoreUnavailable
from groundswell.contract.settings import Settings
from groundswell.log.control import Control
from groundswell.log.sqlite_log import SqliteLog
from groundswell.persist.projection import group_of
from groundswell.persist.sqlite_store import SqliteStore

HOUR_MS = 3_600_000
RETRY_SECONDS = 1.0

log = structlog.get_logger(__name__)


class Engine(Protocol):
    """What can be opened and closed."""

    async def start(self) -> None: ...

    async def close(self) -> None: ...


class Engines:
    """Opens engines and closes them in reverse.

    The embedded ones are there or the process cannot start. Of the others the log is waited for,
    since nothing works without it; the rest may be away, and comes into use when it is back.
    """

    log: Log
    store: CommentStore
    accounts: SqlAccounts
    index: SqlIndex
    cache: Cache
    local_limits: Cache | None  # what holds while a shared cache is away
    control: Control

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._closers: list[Callable[[], Awaitable[None]]] = []
        self._retries: set[asyncio.Task[None]] = set()
        self.waiting_for = ""  # what `open` waits for right now, and why
        self.failed: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def open(self) -> None:
        """Open all; raises what cannot be waited for."""
        settings, clock = self._settings, self._clock
        self.log = _make_log(settings, clock)
        await self._open_log(self.log)
        self.control = Control(self.log, clock=clock)
        await self._open_log(self.control)
        self.store = _make_store(settings, self.log)
        await self._open(
            self.store, away=StoreUnavailable if settings.store.engine == "cassandra" else None
        )
        url = settings.accounts.url or sqlite_url(Path(settings.server.data) / ACCOUNTS_FILE)
        if not settings.accounts.url:
            await migrate(url)
        self.accounts = SqlAccounts(url, connections=settings.accounts.connections)
        await self._open(self.accounts, away=AccountsUnavailable if settings.accounts.url else None)
        self.index = SqlIndex(
            self.accounts,
            generation=self.log.generation(),
            log_epoch=self.log.epoch(Topic.EVENTS),
        )
        self.cache, self.local_limits = _make_cache(
            settings, clock, generation=self.log.generation()
        )
        await self._open(self.cache, away=None)

    async def close(self) -> None:
        """Close what was opened, the latest first."""
        for task in self._retries:
            task.cancel()
        await asyncio.gather(*self._retries, return_exceptions=True)
        while self._closers:
            await self._closers.pop()()

    async def _open_log(self, engine: Log | Control) -> None:
        """Open what nothing works without; one that is away is waited for."""
        self._closers.append(engine.close)
        while True:
            try:
                await engine.start()
            except LogUnavailable as error:
                if self._settings.log.engine == "sqlite":
                    raise
                if not self.waiting_for:
                    log.warning("waiting for the log", error=str(error))
                self.waiting_for = f"the log: {error}"
                await asyncio.sleep(RETRY_SECONDS)
            else:
                self.waiting_for = ""
                return

    async def _open(self, engine: Engine, *, away: type[Exception] | None) -> None:
        """Open an engine; one that is `away` is tried again beside everything else."""
        self._closers.append(engine.close)
        try:
            await engine.start()
        except Exception as error:
            if away is None or not isinstance(error, away):
                raise
            log.warning("an engine is away", error=str(error))
            task = asyncio.create_task(self._retry(engine, away), name="open engine")
            self._retries.add(task)
            task.add_done_callback(self._retries.discard)

    async def _retry(self, engine: Engine, away: type[Exception]) -> None:
        while True:
            await asyncio.sleep(RETRY_SECONDS)
            try:
                await engine.start()
            except away:
                continue
            except Exception as error:  # noqa: BLE001  whatever it is, this process cannot go on
                self.failed.set_result(str(error))
            else:
                log.info("an engine is back", engine=type(engine).__name__)
            return


def _make_log(settings: Settings, clock: Clock) -> Log:
    if settings.log.engine == "kafka":
        from groundswell.log.kafka_log import KafkaLog

        return KafkaLog(settings.kafka, clock=clock)
    topics = {
        Projection.COMMENTS: Topic.EVENTS,
        Projection.TALLY: Topic.REACTIONS,
        Projection.INDEX: Topic.EVENTS,
    }
    return SqliteLog(
        Path(settings.server.data) / "log.db",
        clock=clock,
        retention_ms=int(settings.log.retention * HOUR_MS),
        keep_for=[
            (group_of(projection), topic)
            for projection, topic in topics.items()
            if projection in settings.persist.projections
        ],
    )


def _make_store(settings: Settings, log: Log) -> CommentStore:
    generation, log_epoch = log.generation(), log.epoch(Topic.EVENTS)
    if settings.store.engine == "cassandra":
        from groundswell.persist.cassandra_store import CassandraStore

        return CassandraStore(settings.cassandra, generation=generation, log_epoch=log_epoch)
    return SqliteStore(
        Path(settings.server.data) / "store.db", generation=generation, log_epoch=log_epoch
    )


def _make_cache(settings: Settings, clock: Clock, *, generation: int) -> tuple[Cache, Cache | None]:
    local = MemoryCache(clock=clock)
    if settings.cache.engine == "redis":
        from groundswell.cache.redis_cache import RedisCache

        # What a cache knows is true of one log: a key that named a comment of a former one would
        # have its repetition answered with a comment that is in no log any more.
        prefix = f"{settings.redis.prefix}{generation}:"
        return RedisCache(replace(settings.redis, prefix=prefix), clock=clock), local
    return local, None
