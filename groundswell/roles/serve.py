"""Running one process until it is told to stop."""

import asyncio
import contextlib
import errno
import gc
import os
import signal
import sys
from dataclasses import replace

import structlog

from groundswell.broker.planes import PlaneMissing
from groundswell.contract import faultpoints
from groundswell.contract.ports.log import LogError
from groundswell.contract.ports.store import StoreMismatch, StoreUnavailable
from groundswell.contract.settings import Settings
from groundswell.failures import StartFailed
from groundswell.ingest.keys import BadKey
from groundswell.roles.preparation import prepared
from groundswell.roles.process import Process
from groundswell.supervisor.worker import Worker, member_name

# With CPython's 5 ms a busy event loop takes the GIL back before the writer threads of log and
# store get it, and an append waits for seconds; below 0.2 ms the switching itself costs.
SWITCH_SECONDS = 0.0005
# Requests make few cycles, and what a broker remembers is large: CPython's 700, 10, 10 goes through
# all of it several times a second.
GC_THRESHOLDS = (50_000, 20, 50)

# Their texts say what to do.
START_FAILURES = (LogError, StoreMismatch, StoreUnavailable, BadKey, PlaneMissing, ValueError)

log = structlog.get_logger(__name__)


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
    worker = Worker.of(os.environ)
    settings = prepared(settings)
    if not settings.kafka.member:
        member = member_name(settings, worker=None if worker is None else worker.number)
        settings = replace(settings, kafka=replace(settings.kafka, member=member))
    process = Process(settings, worker=worker)
    began = asyncio.create_task(process.start(), name="start")
    told_to_stop = asyncio.create_task(stopping.wait(), name="stop")
    try:
        try:
            # An engine that is away is waited for, and whoever waits may be told to stop.
            await asyncio.wait([began, told_to_stop], return_when=asyncio.FIRST_COMPLETED)
            if not began.done():
                return 0
            began.result()
        except START_FAILURES as error:
            raise StartFailed(str(error)) from error
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise StartFailed(
                "a port is taken by another program: see --port and --internal-port, and "
                f"`groundswell doctor` ({error.strerror})"
            ) from error
        broken = asyncio.create_task(process.wait_broken(), name="broken")
        await asyncio.wait([broken, told_to_stop], return_when=asyncio.FIRST_COMPLETED)
        await process.drain()
        if broken.done():
            log.error("stopping", reason=broken.result())
            return 1
        broken.cancel()
        return 0
    finally:
        for task in (began, told_to_stop):
            task.cancel()
        await asyncio.gather(began, told_to_stop, return_exceptions=True)
        await process.stop()


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
