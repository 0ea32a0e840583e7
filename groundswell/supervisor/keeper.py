"""Keeps one worker running: starts it, starts it again when it ends, stops it when told."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Sequence
from typing import Final

import structlog

from groundswell.contract.clock import Clock
from groundswell.failures import StartFailed
from groundswell.supervisor.worker import CANNOT_START, Worker

FIRST_DELAY: Final = 0.5  # seconds
LONGEST_DELAY: Final = 30.0  # seconds
STABLE: Final = 60.0  # seconds of life after which an end is no longer one of a row

log = structlog.get_logger(__name__)


class Keeper:
    """One worker's place: the process in it changes. `run` it; `stop` or `kill` ends that."""

    def __init__(self, worker: Worker, command: Sequence[str], *, clock: Clock) -> None:
        self.worker = worker
        self.restarts = 0
        self._command = command
        self._clock = clock
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """The process that runs now; None while there is none."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    async def run(self) -> int:
        """Keep the worker running until `stop`; return the exit status of the last process.

        Raises `StartFailed` if the first process could not start: another one could not either.
        What could start once is started again, for it may be the machine that has to recover.
        """
        delay = FIRST_DELAY
        while True:
            began = self._clock.monotonic()
            status = await self._run_once()
            if self._stopping.is_set():
                return status
            if status == CANNOT_START and self.restarts == 0:
                raise StartFailed(self._failure())
            if self._clock.monotonic() - began >= STABLE:
                delay = FIRST_DELAY
            log.error(
                "a worker ended",
                worker=self.worker.number,
                how=self._failure() if status == CANNOT_START else _how(status),
                restart_in=delay,
            )
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay)
                return status
            delay = min(2 * delay, LONGEST_DELAY)
            self.restarts += 1

    def stop(self) -> None:
        """Have the worker drain and end, and start no other."""
        self._stopping.set()
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the worker at once, and start no other."""
        self._stopping.set()
        self._signal(signal.SIGKILL)

    async def _run_once(self) -> int:
        process = await asyncio.create_subprocess_exec(
            *self._command,
            env={**os.environ, **self.worker.environment},
            stdin=asyncio.subprocess.PIPE,  # its end tells the worker that we are gone
            start_new_session=True,  # Ctrl-C is for us: the worker is told once, by `stop`
        )
        self._process = process
        log.debug("a worker started", worker=self.worker.number, pid=process.pid)
        if self._stopping.is_set():
            self._signal(signal.SIGTERM)
        return await process.wait()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    def _failure(self) -> str:
        try:
            return self.worker.failure.read_text(encoding="utf-8")
        except OSError:
            return "it cannot start, and could not say why"


def _how(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"
