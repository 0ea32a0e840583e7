"""Which plane a process has."""

from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING

from groundswell.broker.asyncio_plane import AsyncioPlane
from groundswell.broker.handshake import Handshake
from groundswell.broker.plane import OwnedPlane
from groundswell.cext import EXTENSION_LOADED
from groundswell.contract.clock import Clock
from groundswell.contract.ports.uplink import Origin, Uplink
from groundswell.contract.settings import StreamSettings

if TYPE_CHECKING:
    from groundswell.broker.door import Door


class PlaneMissing(Exception):
    """The operator chose a plane that this machine does not have."""


def make_plane(
    settings: StreamSettings, *, clock: Clock, jitter: Callable[[], float]
) -> OwnedPlane:
    """Return the plane of the settings; raises `PlaneMissing`."""
    if chosen(settings) == "asyncio":
        return AsyncioPlane(settings=settings, clock=clock, jitter=jitter)
    try:
        from groundswell.broker.native_plane import NativePlane
    except ImportError as error:
        raise PlaneMissing(
            "the native plane needs Linux and the native modules: set stream.plane to asyncio"
        ) from error
    return NativePlane(settings=settings, clock=clock, jitter=jitter)


def chosen(settings: StreamSettings) -> str:
    """Return `native` or `asyncio`: of `auto` the former wherever the hub was built."""
    if settings.plane != "auto":
        return settings.plane
    # Not tried out by an import: a hub that is there and does not load is to be heard of.
    built = EXTENSION_LOADED and find_spec("groundswell.cext._hub") is not None
    return "native" if built else "asyncio"


def make_door(
    plane: OwnedPlane,
    *,
    handshake: Handshake,
    uplink: Uplink,
    origin_of_peer: Callable[[str, str | None, str | None], Origin],
) -> "Door | None":
    """Return what accepts connections for a plane; None: the event loop does."""
    if isinstance(plane, AsyncioPlane):
        return None
    from groundswell.broker.door import Door
    from groundswell.broker.native_plane import NativePlane

    if not isinstance(plane, NativePlane):
        return None
    return Door(plane=plane, handshake=handshake, uplink=uplink, origin_of_peer=origin_of_peer)
