"""A process's life: open the engines, start the roles, listen; then all of it in reverse.

The internal port is there first, so that whoever waits for `/ready` is told what it waits for.
`/ready` answers 200 only once everything stands. Stop: not ready, stop accepting, tell viewers to
reconnect, finish what was accepted, let the projections write what they hold, close the engines.
"""

import asyncio
import gc
import secrets as random_secrets
from collections.abc import Coroutine, Iterator
from typing import Any

import structlog
from aiohttp import web

from groundswell.broker.broker import Broker
from groundswell.cache import MemoryCache
from groundswell.contract.clock import SystemClock
from groundswell.contract.ids import CommentIds
from groundswell.contract.origins import Origins
from groundswell.contract.settings import Settings
from groundswell.demo import Crowd
from groundswell.ingest.keys import load_keys
from groundswell.ingest.restore import restore_claims
from groundswell.roles import live_path
from groundswell.roles.durable_path import DurablePath
from groundswell.roles.engines import Engines
from groundswell.roles.write_path import WritePath
from groundswell.server.addresses import ClientAddresses
from groundswell.server.app import public_app
from groundswell.server.internal import internal_app
from groundswell.server.listener import Listener
from groundswell.server.readiness import Check, Readiness
from groundswell.server.shortcut import Shortcut
from groundswell.supervisor.worker import Worker
from groundswell.telemetry.metrics import StatisticsCollector, make_registry

WATCH_SECONDS = 0.5  # between two looks at whether the log is still the one that was opened

log = structlog.get_logger(__name__)


class Process:
    """Everything that one process runs. `start`, `drain`, `stop` in order."""

    def __init__(self, settings: Settings, *, worker: Worker | None) -> None:
        self._settings = settings
        self._worker = worker
        self._clock = SystemClock()
        self._engines = Engines(settings, self._clock)
        self._readiness = Readiness(waiting_for=lambda: self._engines.waiting_for)
        self._collector = StatisticsCollector()
        self._tasks: list[asyncio.Task[None]] = []
        self._started = False
        self._internal: Listener | None = None
        self._public: Listener | None = None
        self._write_path: WritePath | None = None
        self._broker: Broker | None = None
        self._durable_path: DurablePath | None = None

    async def start(self) -> None:
        """Open the engines, start the roles, then listen."""
        settings, clock, engines = self._settings, self._clock, self._engines
        roles = settings.server.roles
        keys = load_keys(settings.auth)
        await self._listen_internally()
        await engines.open()
        if isinstance(engines.cache, MemoryCache):
            restored = await restore_claims(engines.log, engines.cache.restore_claim, clock=clock)
            log.debug("idempotency keys restored", keys=restored)
        self._register_statistics()
        tables: list[list[web.RouteDef]] = []
        shortcut: Shortcut | None = None
        origins = Origins(settings.server.origins)
        addresses = ClientAddresses(settings.server.trusted_proxies)
        ids = CommentIds(settings.ids.secret.encode(), now_ms=clock.wall_ms)
        process_id = random_secrets.token_hex(4)
        self._write_path = WritePath(
            settings, engines=engines, ids=ids, keys=keys, process_id=process_id, clock=clock
        )
        self._collector.register("gate", self._write_path.appender.statistics)
        if "ingest" in roles:
            table, shortcut = self._write_path.routes(addresses)
            tables.append(table)
        if "broker" in roles:
            self._broker = live_path.make_broker(
                settings,
                engines=engines,
                uplink=self._write_path.gate,
                ids=ids,
                origins=origins,
                addresses=addresses,
                process_id=process_id,
                clock=clock,
            )
            self._broker.start()
            self._collector.register("plane", self._broker.plane_statistics)
            if self._broker.door is not None:
                self._collector.register("door", self._broker.door.statistics)
            self._collector.register("reader", self._broker.reader_statistics)
            tables += [self._broker.routes, live_path.pages()]
            if settings.demo.enabled:
                tables.append(
                    live_path.guests(settings, keys=keys, addresses=addresses, clock=clock)
                )
        if "persist" in roles:
            self._durable_path = DurablePath(
                settings, engines=engines, collector=self._collector, clock=clock
            )
            await self._durable_path.start()
        gc.collect()
        gc.freeze()  # what stands now stays until the end
        if tables:
            app = public_app(*tables, settings=settings.server, origins=origins, shortcut=shortcut)
            await self._listen(app)
        self._readiness.started(list(self._checks()))
        self._started = True
        self._log_ready()
        if settings.demo.enabled and self._public is not None:
            self._start_crowd(self._public)

    async def wait_broken(self) -> str:
        """Return, once it is so, why this process cannot go on."""
        while True:
            if (replaced := self._engines.log.replaced()) is not None:
                return str(replaced)
            if self._engines.failed.done():
                return self._engines.failed.result()
            await asyncio.sleep(WATCH_SECONDS)

    async def drain(self) -> None:
        """Say not ready, take nothing new, let viewers go, finish what was accepted."""
        self._readiness.drain()
        log.info("draining", seconds=self._settings.server.drain_time)
        for task in self._tasks:
            task.cancel()
        if self._public is not None:
            self._public.stop_accepting()
        if self._broker is not None:
            await self._broker.drain()
        if self._write_path is not None:
            await self._write_path.packer.close()

    async def stop(self) -> None:
        """Close everything that was opened, the latest first."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._public is not None:
            await self._public.close()
        if self._broker is not None:
            await self._broker.stop()
        if self._durable_path is not None:
            await self._durable_path.close()
        await self._engines.close()
        if self._internal is not None:
            await self._internal.close()
        if self._started:
            log.info("stopped")

    def _checks(self) -> Iterator[Check]:
        engines = self._engines
        yield Check(
            name="log",
            required=True,
            works=engines.log.writable,
            without="nothing is accepted; open streams stay, and what is remembered is read",
        )
        yield Check(
            name="store",
            required=False,
            works=engines.store.writable,
            without="comments are accepted and live; older pages are not readable, and "
            "projections wait",
        )
        yield Check(
            name="accounts",
            required=False,
            works=engines.accounts.available,
            without="comments are accepted and live; roles and registered videos cannot be looked "
            "up, and the index waits",
        )
        if any(role != "persist" for role in self._settings.server.roles):
            yield Check(
                name="cache",
                required=False,
                works=engines.cache.available,
                without="limits hold within each process; a repeated request is recognised for "
                "60 s instead of 10 minutes; viewers are not counted",
            )

    def _register_statistics(self) -> None:
        engines = self._engines
        for name in ("log", "store", "cache", "control"):
            self._collector.register(name, getattr(engines, name).statistics)
        self._collector.register("engine", self._readiness.statistics)

    async def _listen_internally(self) -> None:
        server = self._settings.server
        place: dict[str, Any] = {"host": server.internal_host, "port": server.internal_port}
        if self._worker is not None:  # the supervisor has the port, and asks us
            place = {"path": self._worker.internal_path}
        self._internal = Listener(
            internal_app(readiness=self._readiness, registry=make_registry(self._collector)),
            settings=server,
            **place,
        )
        await self._internal.start()

    async def _listen(self, app: web.Application) -> None:
        server = self._settings.server
        self._public = Listener(
            app,
            host=server.host,
            port=server.port,
            settings=server,
            reuse_port=self._worker is not None,
            door=self._broker.door if self._broker is not None else None,
        )
        await self._public.start()
        self._collector.register("http", self._public.statistics)

    def _log_ready(self) -> None:
        server = self._settings.server
        places = {}
        if self._public is not None:
            places["url"] = _url(server.host, self._public)
        if self._internal is not None and self._worker is None:
            places["internal"] = _url(server.internal_host, self._internal)
        log.info("ready", **places, roles=",".join(server.roles), data=server.data)

    def _start_crowd(self, public: Listener) -> None:
        demo = self._settings.demo
        url = _url(self._settings.server.host, public)
        log.info("demo", page=f"{url}/watch/{demo.video}")
        crowd = Crowd(url=url, video=demo.video, comments=demo.comments, reactions=demo.reactions)
        self._spawn(crowd.run(), name="demo crowd")

    def _spawn(self, work: Coroutine[Any, Any, None], *, name: str) -> None:
        self._tasks.append(asyncio.create_task(work, name=name))


def _url(host: str, listener: Listener) -> str:
    if host in ("0.0.0.0", "::"):  # noqa: S104 - the address that reaches it from here
        host = "127.0.0.1"
    return f"http://{f'[{host}]' if ':' in host else host}:{listener.port}"
