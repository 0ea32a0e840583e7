"""The only place that wires a process: engines, roles, servers, in the order they depend.

Start: secrets, engines, gate, broker, projections, then the two ports; `/ready` answers 200 only
then. Stop: not ready, stop accepting, tell viewers to reconnect, finish what was accepted, let the
projections write what they hold, close the engines. A second signal ends the process at once.
"""

import asyncio
import contextlib
import errno
import gc
import os
import secrets as random_secrets
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any, Protocol

import structlog
from aiohttp import web

from groundswell.accounts import migrate, sqlite_url
from groundswell.accounts.engine import FILE_NAME as ACCOUNTS_FILE
from groundswell.accounts.sql_accounts import SqlAccounts
from groundswell.broker.broker import Broker
from groundswell.cache.memory import MemoryCache
from groundswell.contract import faultpoints
from groundswell.contract.clock import SystemClock
from groundswell.contract.ids import CommentIds
from groundswell.contract.origins import Origins
from groundswell.contract.ports.log import LogError, Topic
from groundswell.contract.ports.store import Projection, StoreUnavailable
from groundswell.contract.settings import Settings
from groundswell.demo import Crowd
from groundswell.failures import StartFailed
from groundswell.guests import GuestSigner
from groundswell.ingest.append import Appender
from groundswell.ingest.bodies import BodyReader
from groundswell.ingest.counts import HeartCounts, ReactionCounts
from groundswell.ingest.gate import Gate
from groundswell.ingest.keys import BadKey, TokenKey, load_keys
from groundswell.ingest.limits import AddressHash, Limits
from groundswell.ingest.moderation import Moderation
from groundswell.ingest.packer import Packer
from groundswell.ingest.reactions import Reactions
from groundswell.ingest.restore import restore_claims
from groundswell.ingest.routes import WriteRoutes
from groundswell.ingest.tokens import TokenVerifier
from groundswell.ingest.videos import Videos
from groundswell.log.sqlite_log import SqliteLog
from groundswell.persist.comments import comments_projection
from groundswell.persist.projection import ProjectionWorker, group_of
from groundswell.persist.sqlite_store import SqliteStore
from groundswell.persist.tally import tally_projection
from groundswell.secrets import development_secret
from groundswell.server.addresses import ClientAddresses
from groundswell.server.app import public_app
from groundswell.server.internal import internal_app
from groundswell.server.listener import Listener
from groundswell.server.pages import guest_routes, page_routes
from groundswell.server.shortcut import Shortcut
from groundswell.telemetry.metrics import StatisticsCollector, make_registry

GENERATION = 1  # of the embedded log: a new log is a new data folder
HOUR_MS = 3_600_000
# With CPython's 5 ms a busy event loop takes the GIL back before the writer threads of log and
# store get it, and an append waits for seconds; below 0.2 ms the switching itself costs.
SWITCH_SECONDS = 0.0005
# Requests make few cycles, and what a broker remembers is large: CPython's 700, 10, 10 goes through
# all of it several times a second.
GC_THRESHOLDS = (50_000, 20, 50)
LAG_SECONDS = 1.0  # how old the lag in the metrics may be

log = structlog.get_logger(__name__)


class Engine(Protocol):
    """What `Process` opens and closes."""

    async def start(self) -> None: ...

    async def close(self) -> None: ...


def serve(settings: Settings) -> int:
    """Run a server until SIGTERM or SIGINT; returns the exit status.

    Raises `StartFailed`, or `OSError` if a port is taken.
    """
    _arm_fault_point(os.environ.get("GROUNDSWELL_FAULTPOINT"))
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.set_threshold(*GC_THRESHOLDS)
    with contextlib.suppress(ImportError):
        import uvloop

        return uvloop.run(_serve(settings))
    return asyncio.run(_serve(settings))


async def _serve(settings: Settings) -> int:
    stopping = _stop_on_signals()
    process = Process(settings)
    try:
        try:
            await process.start()
        except (LogError, StoreUnavailable, BadKey, ValueError) as error:
            raise StartFailed(str(error)) from error
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise StartFailed(
                "a port is taken by another program: see --port and --internal-port, and "
                f"`groundswell doctor` ({error.strerror})"
            ) from error
        await stopping.wait()
        await process.drain()
    finally:
        await process.stop()
    return 0


class Process:
    """Everything that one process runs. `start`, `drain`, `stop` in order."""

    def __init__(self, settings: Settings) -> None:
        self._settings = _complete(settings)
        self._clock = SystemClock()
        self._draining = False
        self._closers: list[Callable[[], Awaitable[None]]] = []  # closed in reverse
        self._tasks: list[asyncio.Task[None]] = []
        self._collector = StatisticsCollector()
        self._broker: Broker | None = None
        self._packer: Packer | None = None
        self._public: Listener | None = None
        self._log = SqliteLog(
            self._data / "log.db",
            clock=self._clock,
            retention_ms=int(settings.log.retention * HOUR_MS),
            keep_for=[
                (group_of(Projection.COMMENTS), Topic.EVENTS),
                (group_of(Projection.TALLY), Topic.REACTIONS),
            ],
        )

    @property
    def _data(self) -> Path:
        return Path(self._settings.server.data)

    async def start(self) -> None:
        """Open the engines, start the roles, then listen."""
        settings, clock = self._settings, self._clock
        roles = settings.server.roles
        origins = Origins(settings.server.origins)
        addresses = ClientAddresses(settings.server.trusted_proxies)
        keys = load_keys(settings.auth)
        await self._open(self._log)
        store = SqliteStore(
            self._data / "store.db",
            generation=GENERATION,
            log_epoch=self._log.epoch(Topic.EVENTS),
        )
        await self._open(store)
        accounts_url = sqlite_url(self._data / ACCOUNTS_FILE)
        await migrate(accounts_url)
        accounts = SqlAccounts(accounts_url)
        await self._open(accounts)
        cache = MemoryCache(clock=clock)
        restored = await restore_claims(self._log, cache.restore_claim, clock=clock)
        log.debug("idempotency keys restored", keys=restored)

        process_id = random_secrets.token_hex(4)
        ids = CommentIds(settings.ids.secret.encode(), now_ms=clock.wall_ms)
        appender = Appender(self._log)
        videos = Videos(accounts, registered_only=settings.videos.registered_only, clock=clock)
        limits = Limits(settings.limits, cache)
        self._packer = Packer(
            log=self._log,
            appender=appender,
            reaction_counts=ReactionCounts(cache, store),
            heart_counts=HeartCounts(store, clock),
            process_id=process_id,
            clock=clock,
        )
        gate = Gate(
            tokens=TokenVerifier(
                keys,
                audience=settings.auth.audience,
                issuer=settings.auth.issuer,
                leeway=settings.auth.leeway,
                clock=clock,
                remembered=settings.auth.cached_tokens,
            ),
            ids=ids,
            videos=videos,
            limits=limits,
            addresses=AddressHash(settings.ids.secret.encode()),
            reactions=Reactions(ids=ids, limits=limits, packer=self._packer),
            log=self._log,
            appender=appender,
            cache=cache,
        )
        tables: list[list[web.RouteDef]] = []
        shortcut: Shortcut | None = None
        if "ingest" in roles:
            moderation = Moderation(
                ids=ids,
                videos=videos,
                accounts=accounts,
                log=self._log,
                appender=appender,
                clock=clock,
            )
            bodies = BodyReader(
                limit=settings.server.body_bytes, timeout=settings.server.body_timeout
            )
            writes = WriteRoutes(gate, moderation, origin_of=addresses.origin, bodies=bodies)
            tables.append(writes.table())
            shortcut = Shortcut("/live/", "/comments", writes.comment)
        if "broker" in roles:
            self._broker = Broker(
                settings,
                log=self._log,
                store=store,
                cache=cache,
                uplink=gate,
                ids=ids,
                clock=clock,
                process=process_id,
                generation=GENERATION,
                allows_origin=lambda request: origins.allows(
                    request.headers.get("Origin"), host=request.headers.get("Host")
                ),
                origin_of=addresses.origin,
            )
            self._broker.start()
            tables += [self._broker.routes, page_routes(files("groundswell.web"))]
            self._collector.register("plane", self._broker.plane_statistics)
            self._collector.register("reader", self._broker.reader_statistics)
            if settings.demo.enabled:
                tables.append(self._guest_routes(keys, addresses))
        if "persist" in roles:
            comments = comments_projection(self._log, store, dead_letters=store)
            tally = tally_projection(self._log, store, dead_letters=store, generation=GENERATION)
            await self._start_projection(Projection.COMMENTS, comments)
            await self._start_projection(Projection.TALLY, tally)
        self._collector.register("log", self._log.statistics)
        self._collector.register("store", store.statistics)
        self._collector.register("cache", cache.statistics)
        checks = {"log": self._log.writable, "store": store.writable}
        gc.collect()
        gc.freeze()  # what stands now stays until the end
        await self._listen(
            public_app(*tables, settings=settings.server, origins=origins, shortcut=shortcut),
            checks,
        )

    async def drain(self) -> None:
        """Say not ready, take nothing new, let viewers go, finish what was accepted."""
        self._draining = True
        log.info("draining", seconds=self._settings.server.drain_time)
        for task in self._tasks:
            task.cancel()
        if self._public is not None:
            self._public.stop_accepting()
        if self._broker is not None:
            await self._broker.drain()
        if self._packer is not None:
            await self._packer.close()

    async def stop(self) -> None:
        """Close everything that was opened, the latest first."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._public is not None:
            await self._public.close()
        if self._broker is not None:
            await self._broker.stop()
        for close in reversed(self._closers):
            await close()
        log.info("stopped")

    async def _open(self, engine: Engine) -> None:
        await engine.start()
        self._closers.append(engine.close)

    async def _start_projection(
        self, projection: Projection, worker: ProjectionWorker[Any]
    ) -> None:
        await worker.start()
        self._closers.append(worker.close)
        lag = _Lag()
        labels = {"projection": projection.value}
        self._collector.register("persist", worker.statistics, labels=labels)
        self._collector.register("persist", lambda: PersistLag(lag.records), labels=labels)
        self._spawn(lag.follow(worker), name=f"lag of {projection}")

    async def _listen(self, app: web.Application, checks: Mapping[str, Callable[[], bool]]) -> None:
        server = self._settings.server
        self._public = Listener(app, host=server.host, port=server.port, settings=server)
        await self._public.start()
        internal = Listener(
            internal_app(
                checks=lambda: {name: check() for name, check in checks.items()},
                draining=lambda: self._draining,
                registry=make_registry(self._collector),
            ),
            host=server.internal_host,
            port=server.internal_port,
            settings=server,
        )
        await internal.start()
        self._closers.append(internal.close)
        url = f"http://{_url_host(server.host)}:{self._public.port}"
        log.info(
            "ready",
            url=url,
            internal=f"http://{_url_host(server.internal_host)}:{internal.port}",
            roles=",".join(server.roles),
            data=str(self._data),
        )
        if self._settings.demo.enabled:
            demo = self._settings.demo
            log.info("demo", page=f"{url}/watch/{demo.video}")
            crowd = Crowd(
                url=url, video=demo.video, comments=demo.comments, reactions=demo.reactions
            )
            self._spawn(crowd.run(), name="demo crowd")

    def _guest_routes(
        self, keys: Sequence[TokenKey], addresses: ClientAddresses
    ) -> list[web.RouteDef]:
        auth = self._settings.auth
        shared = next((key for key in keys if isinstance(key.material, bytes)), None)
        if shared is None or not isinstance(shared.material, bytes):
            log.warning("no guest sessions: auth.keys has no HS256 key to sign them with")
            return []
        signer = GuestSigner(
            shared.material,
            kid=shared.kid,
            audience=auth.audience,
            issuer=auth.issuer,
            clock=self._clock,
        )
        return guest_routes(signer.sign, address_of=addresses.of)

    def _spawn(self, work: Coroutine[Any, Any, None], *, name: str) -> None:
        self._tasks.append(asyncio.create_task(work, name=name))


@dataclass(frozen=True, slots=True)
class PersistLag:
    """How far a projection is behind the log."""

    lag_records: int


class _Lag:
    """Asks a projection for its lag every second: metrics are read without waiting."""

    def __init__(self) -> None:
        self.records = 0

    async def follow(self, worker: ProjectionWorker[Any]) -> None:
        while True:
            with contextlib.suppress(LogError):
                self.records = await worker.lag()
            await asyncio.sleep(LAG_SECONDS)


def _complete(settings: Settings) -> Settings:
    """Make the data folder, fill in secrets of its own, and decide where to listen.

    Where nobody set a secret, the development secret is one that everybody on this machine can
    read out of the page of a guest: so only this machine is served.
    """
    data = Path(settings.server.data)
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StartFailed(
            f"cannot make the data folder {str(data)!r}: {error.strerror}; see --data"
        ) from error
    auth, ids, server = settings.auth, settings.ids, settings.server
    own_keys = bool(auth.secret or auth.keys)
    if not own_keys:
        auth = replace(auth, secret=development_secret(data, "auth.secret"))
        log.warning(
            "no token secret is set: using the development secret of the data folder and "
            "listening on loopback only; set auth.secret or auth.keys to serve others"
        )
    if not ids.secret:
        ids = replace(ids, secret=development_secret(data, "ids.secret"))
    if not server.host:
        server = replace(server, host="0.0.0.0" if own_keys else "127.0.0.1")  # noqa: S104 - asked
    return replace(settings, auth=auth, ids=ids, server=server)


def _url_host(host: str) -> str:
    if host in ("0.0.0.0", "::"):  # noqa: S104 - the address that reaches it from here
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def _stop_on_signals() -> asyncio.Event:
    """Return an event that the first SIGTERM or SIGINT sets; the second ends the process."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop() -> None:
        if stopping.is_set():
            os._exit(1)
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    return stopping


def _arm_fault_point(text: str | None) -> None:
    """Have this process killed at a point, for tests: `name` or `name:nth`."""
    if not text:
        return
    name, _, nth = text.partition(":")
    left = int(nth or "1")

    def kill() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    try:
        faultpoints.arm(name, kill)
    except KeyError as error:
        raise StartFailed(f"GROUNDSWELL_FAULTPOINT: {error.args[0]}") from error
