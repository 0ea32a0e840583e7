"""The parent: starts workers, answers for them, passes signals on, ends when they have."""

import asyncio
import contextlib
import errno
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import structlog

from groundswell.contract.clock import SystemClock
from groundswell.contract.settings import Settings
from groundswell.failures import StartFailed
from groundswell.server.internal import status_app
from groundswell.server.listener import Listener
from groundswell.supervisor.keeper import Keeper
from groundswell.supervisor.overview import Overview
from groundswell.supervisor.port import has_public_port, reserved
from groundswell.supervisor.worker import Worker

STOP_SECONDS: Final = 30.0  # beyond the drain time; then workers are killed
PATH_BYTES: Final = 90  # of the folder: a Unix socket's path has 107 at most (unix(7))

log = structlog.get_logger(__name__)


def supervise(settings: Settings, *, command: Sequence[str] | None = None) -> int:
    """Run `server.workers` workers until SIGTERM or SIGINT; returns the exit status.

    `settings.server.host` must be decided. `command` starts a worker; None: what started us. Raises
    `StartFailed`, also with the reason of a worker that cannot start.
    """
    server = settings.server
    command = [sys.executable, *sys.orig_argv[1:]] if command is None else list(command)
    with tempfile.TemporaryDirectory(prefix="groundswell-") as folder, contextlib.ExitStack() as on:
        if len(folder.encode()) > PATH_BYTES:
            raise StartFailed(f"the path of {folder} is too long for sockets in it: set TMPDIR")
        if has_public_port(settings):
            port = on.enter_context(reserved(server.host, server.port))
            if server.port == 0:  # all workers must have the same one
                command += ["--port", str(port)]
                settings = replace(settings, server=replace(server, port=port))
        supervisor = Supervisor(settings, command, Path(folder))
        return asyncio.run(supervisor.run())


class Supervisor:
    """Keeps all workers of one server."""

    def __init__(self, settings: Settings, command: Sequence[str], folder: Path) -> None:
        self._settings = settings
        clock = SystemClock()
        self._keepers = [
            Keeper(Worker(number, folder), command, clock=clock)
            for number in range(settings.server.workers)
        ]
        self._overview = Overview(self._keepers)
        self._stopping = asyncio.Event()

    async def run(self) -> int:
        """Keep the workers until a signal, then until they have ended; return the exit status."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._told_to_stop)
        internal = await self._listen()
        running = [asyncio.create_task(keeper.run()) for keeper in self._keepers]
        told = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait([told, *running], return_when=asyncio.FIRST_COMPLETED)
            if told.done():
                log.info("draining", seconds=self._settings.server.drain_time)
            await self._stop(running)
        finally:
            told.cancel()
            await internal.close()
        for error in [task.exception() for task in running]:
            if error is not None:
                raise error  # all that could not start had the same reason, or nearly
        log.info("stopped")
        # SIGTERM itself ends a worker that has not come as far as listening to it.
        well = all(task.result() in (0, -signal.SIGTERM) for task in running)
        return 0 if well else 1

    def _told_to_stop(self) -> None:
        if self._stopping.is_set():
            self._kill()
        self._stopping.set()

    async def _listen(self) -> Listener:
        server = self._settings.server
        app = status_app(ready=self._overview.report, metrics=self._overview.metrics)
        internal = Listener(
            app, host=server.internal_host, port=server.internal_port, settings=server
        )
        try:
            await internal.start()
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise StartFailed(
                f"port {server.internal_port} is taken by another program: see --internal-port "
                "and `groundswell doctor`"
            ) from error
        public = {"host": server.host, "port": server.port}
        log.info(
            "starting workers",
            workers=server.workers,
            roles=",".join(server.roles),
            **(public if has_public_port(self._settings) else {}),
            internal_host=internal.host,
            internal_port=internal.port,
        )
        return internal

    async def _stop(self, running: Sequence["asyncio.Task[int]"]) -> None:
        self._overview.drain()
        for keeper in self._keepers:
            keeper.stop()
        within = self._settings.server.drain_time + STOP_SECONDS
        _, late = await asyncio.wait(running, timeout=within)
        if late:
            log.error("workers did not end in time and are killed", workers=len(late))
            self._kill()
            await asyncio.wait(running)

    def _kill(self) -> None:
        for keeper in self._keepers:
            keeper.kill()
