"""A worker that serves nothing but its number: `fake_worker.py MODE --port PORT`."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from aiohttp import web
from prometheus_client import CollectorRegistry

from groundswell.contract.settings import ServerSettings, Settings, TelemetrySettings
from groundswell.failures import StartFailed
from groundswell.server.internal import internal_app
from groundswell.server.listener import Listener
from groundswell.server.readiness import Readiness
from groundswell.supervisor.worker import Worker
from groundswell.telemetry.logging import configure
from groundswell.telemetry.metrics import StatisticsCollector, make_registry

_, MODE, _, PORT = sys.argv


def serve(_: Settings) -> int:
    """Serve until told to stop, as the mode has it."""
    if MODE == "cannot-start":
        raise StartFailed("the moon is in the wrong house")
    return asyncio.run(run())


async def run() -> int:
    """Listen on both ports."""
    worker = Worker.of(os.environ)
    assert worker is not None
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop, told, worker.number)
    settings = ServerSettings()
    readiness = Readiness(waiting_for=str)
    readiness.started([])
    internal = Listener(
        internal_app(readiness=readiness, registry=registry()),
        path=worker.internal_path,
        settings=settings,
    )
    app = web.Application()
    app.router.add_get("/number", lambda _: answer(worker.number))
    public = Listener(app, host="127.0.0.1", port=int(PORT), settings=settings, reuse_port=True)
    await internal.start()
    await public.start()
    await told.wait()
    await public.close()
    await internal.close()
    return 0


def stop(told: asyncio.Event, number: int) -> None:
    """Be told to stop; a stubborn worker does not listen, no worker is told twice."""
    sys.stderr.write(f"worker {number} told{' again' if told.is_set() else ''}\n")
    sys.stderr.flush()
    if MODE != "stubborn":
        told.set()


async def answer(number: int) -> web.Response:
    """Say which worker this is."""
    return web.Response(text=str(number))


def registry() -> CollectorRegistry:
    """Return the metrics that every process has."""
    return make_registry(StatisticsCollector())


if __name__ == "__main__":
    configure(TelemetrySettings(log_format="json"))
    this = Worker.of(os.environ)
    assert this is not None
    (Path(this.folder) / f"{this.number}.pid").write_text(str(os.getpid()))
    sys.exit(this.run(serve, Settings()))
