"""Which plane a process has."""

from collections.abc import Callable

from groundswell.broker.asyncio_plane import AsyncioPlane
from groundswell.broker.plane import OwnedPlane
from groundswell.contract.clock import Clock
from groundswell.contract.settings import StreamSettings


class PlaneMissing(Exception):
    """The operator chose a plane that this machine does not have."""


def make_plane(
    settings: StreamSettings, *, clock: Clock, jitter: Callable[[], float]
) -> OwnedPlane:
    """Return the plane of the settings; raises `PlaneMissing`."""
    if settings.plane == "asyncio":
        return AsyncioPlane(settings=settings, clock=clock, jitter=jitter)
    try:
        from groundswell.broker.native_plane import NativePlane
    except ImportError as error:
        raise PlaneMissing(
            "stream.plane is native, which needs Linux and the native modules: set it to asyncio"
        ) from error
    return NativePlane(settings=settings, clock=clock, jitter=jitter)
