"""A prediction held against a run: one process with all roles on the native plane.

What is predicted is what the model of the plan says of that process: its CPU, what it sends and its
memory. The run comes after. Since a tick that a busy machine stretches means fewer frames, CPU
is also compared with what the model says of the frames that were really sent.
"""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass

from groundswell.bench import traffic
from groundswell.bench.capacity.measure import PLANE, WARM_RATE, tick_env
from groundswell.bench.capacity.model import Event, cost, fan_out_cores, frames_of, post_cores
from groundswell.bench.capacity.units import Units
from groundswell.bench.metrics import gauge, get
from groundswell.bench.native_tools import ToolFailed
from groundswell.bench.plane import room
from groundswell.bench.plane.meter import PlaneMeter
from groundswell.bench.report import Row
from groundswell.bench.run import Run
from groundswell.bench.targets import Target

WARM = 3.0  # seconds of the flow before anything counts: the display budget looks a second back
AFTER = 5.0  # seconds that the flow goes on, so that it never ends before the measurement
_WRITTEN = {
    "frames": "groundswell_plane_frames_written_total",
    "bytes": "groundswell_plane_bytes_written_total",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Of one process, while the flow runs."""

    cpu: float  # cores
    frames: float  # a second, to each viewer
    bytes: float  # a second, to all viewers, without the heads of TCP
    rss: float  # bytes, with all viewers there and nothing posted but a few comments


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What the run gave. `cpu_for_frames`: what the model says of the frames that were sent."""

    figures: Figures
    cpu_for_frames: float
    viewers: int
    posted: float  # comments a second that were accepted
    others: float  # percent of the fuller core that somebody else used
    load: float  # the machine's load average at the end
    bounded_by: str


def predict(event: Event, units: Units) -> Figures:
    """Return what one process needs that accepts, stores and sends such an event."""
    frames = frames_of(event, units)
    return Figures(
        cpu=post_cores(units, event.comments) + fan_out_cores(event, units),
        frames=frames.per_second,
        bytes=event.viewers * frames.per_second * frames.bytes,
        rss=cost(units, "process") + event.viewers * cost(units, "viewer"),
    )


def measure(run: Run, event: Event, units: Units) -> Measured:
    """Make the run. Raises `ToolFailed` where viewers or metrics were lost."""
    viewers = round(event.viewers)
    env = {**tick_env(event.tick), "GROUNDSWELL_ROOM_DISPLAY_RATE": f"{event.display_rate:.0f}"}
    with room.groundswell(run, PLANE, env) as server:
        with room.posting(run, server, rate=WARM_RATE, seconds=1.0) as (_, wait):
            wait()
        with traffic.watching(
            run.tools, server.port, viewers=viewers, core=run.client_core
        ) as watching:
            room.rest()
            rss = server.process.rss_bytes()
            flow = WARM + run.seconds + AFTER
            with room.posting(run, server, rate=event.comments, seconds=flow) as (writers, wait):
                room.rest(WARM)
                meter = PlaneMeter(
                    {server.name: server.process},
                    {"viewers": watching.process, "writers": writers},
                    server_core=run.server_core,
                    client_core=run.client_core,
                )
                began, before = time.monotonic(), _written(server)
                room.rest(run.seconds)
                seconds, after = time.monotonic() - began, _written(server)
                cpu, columns = meter.server_seconds(), meter.columns()
                wrote = wait()
            saw = watching.finish()
        server.process.check()
    if saw.closed or saw.connected < viewers:
        raise ToolFailed(f"{viewers - saw.connected + saw.closed} of {viewers} viewers were lost")
    frames = (after["frames"] - before["frames"]) / viewers / seconds
    sent = (after["bytes"] - before["bytes"]) / seconds
    others = columns["others %"]
    return Measured(
        figures=Figures(cpu=cpu / seconds, frames=frames, bytes=sent, rss=rss),
        cpu_for_frames=_cpu_for(event, units, frames=frames, sent=sent, posted=wrote.per_second),
        viewers=saw.connected,
        posted=wrote.per_second,
        others=others if isinstance(others, float) else 0.0,
        load=os.getloadavg()[0],
        bounded_by=str(columns["bounded by"]),
    )


def _cpu_for(event: Event, units: Units, *, frames: float, sent: float, posted: float) -> float:
    writes = event.viewers * frames
    fan_out = writes * cost(units, "write") + sent * cost(units, "byte")
    idle = event.viewers * cost(units, "idle")
    return post_cores(units, posted) + (fan_out + idle) / 1e6


def _written(server: Target) -> dict[str, float]:
    assert server.internal_port is not None  # noqa: S101 - the product has one
    text = get(server.internal_port, "/metrics")[1]
    found = {name: gauge(text, metric) for name, metric in _WRITTEN.items()}
    told = {name: value for name, value in found.items() if value is not None}
    if len(told) < len(_WRITTEN):
        raise ToolFailed("the server does not tell what its plane has written")
    return told


def predicted_rows(found: Figures) -> Sequence[Row]:
    """Return the prediction as rows of a table."""
    return [{"what": what, "predicted": value} for what, value in _shown(found).items()]


def compared_rows(predicted: Figures, measured: Measured) -> Sequence[Row]:
    """Return prediction and run side by side; the error is of the prediction, by what was."""
    was = _shown(measured.figures)
    rows = [_compared(what, value, was[what]) for what, value in _shown(predicted).items()]
    name = "CPU, % of a core, for the frames sent"
    cpu = 100 * measured.figures.cpu
    return [*rows, _compared(name, 100 * measured.cpu_for_frames, cpu)]


def _compared(what: str, predicted: float, was: float) -> Row:
    error = 100 * (predicted / was - 1) if was else None
    return {"what": what, "predicted": predicted, "measured": was, "error %": error}


def _shown(found: Figures) -> dict[str, float]:
    return {
        "CPU, % of a core": 100 * found.cpu,
        "frames/s to a viewer": found.frames,
        "MB/s sent": found.bytes / 1e6,
        "RSS MB": found.rss / 1e6,
    }
