"""What makes a process a worker: its number, its parent's folder, and whose death it follows."""

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import structlog

from groundswell.contract.settings import Settings
from groundswell.failures import StartFailed

CANNOT_START: Final = 78  # exit status, EX_CONFIG of sysexits.h: starting it again will not help
NUMBER: Final = "GROUNDSWELL_WORKER"
FOLDER: Final = "GROUNDSWELL_WORKER_FOLDER"
ORPHAN_SECONDS: Final = 30.0  # beyond the drain time; then an orphan ends without ceremony


@dataclass(frozen=True, slots=True)
class Worker:
    """One of the processes behind a supervisor, counted from 0."""

    number: int
    folder: Path  # private to this server

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Worker | None":
        """Return the worker that this environment makes a process; None: it has no supervisor.

        Raises `StartFailed` for a number that is none.
        """
        if FOLDER not in environ:
            return None
        try:
            return cls(int(environ[NUMBER]), Path(environ[FOLDER]))
        except (KeyError, ValueError):
            raise StartFailed(f"{NUMBER} is not the number of a worker") from None

    @property
    def environment(self) -> dict[str, str]:
        """What `of` reads."""
        return {NUMBER: str(self.number), FOLDER: str(self.folder)}

    @property
    def internal_path(self) -> str:
        """The Unix socket that stands for this worker's internal port."""
        return str(self.folder / f"{self.number}.internal")

    @property
    def failure(self) -> Path:
        """Where a worker that cannot start says why: the supervisor tells it once for all."""
        return self.folder / f"{self.number}.failure"

    def run(self, serve: Callable[[Settings], int], settings: Settings) -> int:
        """Serve as this worker until told to stop, or until the supervisor is gone."""
        structlog.contextvars.bind_contextvars(worker=self.number)
        self._follow_parent(settings.server.drain_time + ORPHAN_SECONDS)
        kafka = replace(settings.kafka, member=member_name(settings, worker=self.number))
        stream = replace(settings.stream, hub_threads=hub_threads(settings))
        server = replace(settings.server, workers=1)
        try:
            return serve(replace(settings, kafka=kafka, server=server, stream=stream))
        except StartFailed as failed:
            self.failure.write_text(str(failed), encoding="utf-8")
            return CANNOT_START

    def _follow_parent(self, seconds: float) -> None:
        """Drain when the parent ends, however it ends: it holds the other end of our stdin."""

        def wait() -> None:
            while os.read(0, 1024):
                pass  # nobody writes; only the end of it means something
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(seconds)
            os._exit(1)

        # A thread: it works before the event loop turns, and when it has stopped turning.
        threading.Thread(target=wait, name="parent", daemon=True).start()


def hub_threads(settings: Settings) -> int:
    """Return the threads of a worker's native plane: workers share the cores evenly."""
    share = len(os.sched_getaffinity(0)) // settings.server.workers
    return settings.stream.hub_threads or max(1, share - 1)


def member_name(settings: Settings, *, worker: int | None) -> str:
    """Return this process's name in consumer groups: unique, and the same after a restart.

    Empty where nothing tells this process from another one on the machine: its groups then share
    out anew at each of its starts.
    """
    if not settings.kafka.member and settings.server.internal_port == 0:
        return ""
    name = settings.kafka.member or f"{socket.gethostname()}-{settings.server.internal_port}"
    return name if worker is None else f"{name}-{worker}"
