"""The planes that pass the same tests, with deadlines that are kept at once."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from groundswell.broker import asyncio_plane
from groundswell.broker.asyncio_plane import AsyncioPlane
from groundswell.broker.plane import OwnedPlane
from groundswell.contract.settings import StreamSettings


def make_asyncio_plane(monkeypatch: pytest.MonkeyPatch, **arguments: Any) -> OwnedPlane:
    monkeypatch.setattr(asyncio_plane, "SWEEP_SECONDS", 0.005)
    return AsyncioPlane(**arguments)


def make_native_plane(
    monkeypatch: pytest.MonkeyPatch, *, settings: StreamSettings, **arguments: Any
) -> OwnedPlane:
    native_plane = pytest.importorskip("groundswell.broker.native_plane", reason="not built here")
    monkeypatch.setattr(native_plane, "TICK_SECONDS", 0.005)
    # Two threads, whatever the machine has: viewers of one room are then on both.
    plane: OwnedPlane = native_plane.NativePlane(
        settings=replace(settings, hub_threads=2), **arguments
    )
    return plane


PLANES: dict[str, Callable[..., OwnedPlane]] = {
    "asyncio": make_asyncio_plane,
    "native": make_native_plane,
}
