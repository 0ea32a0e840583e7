"""The native modules and their pure twins, so that one test runs on both."""

import importlib
import os
import sys
from importlib.util import find_spec
from types import ModuleType

import pytest

from groundswell import cext
from groundswell.cext import pure_frames, pure_websocket

PURE_ONLY = os.environ.get("GROUNDSWELL_PURE") == "1"
KINDS = ["pure"] if PURE_ONLY else ["native", "pure"]


def pytest_configure() -> None:
    """Fail loudly where the extension should be there: pure code must not pass as native."""
    hub_missing = sys.platform == "linux" and find_spec("groundswell.cext._hub") is None
    if not PURE_ONLY and (not cext.EXTENSION_LOADED or hub_missing):
        raise pytest.UsageError(
            "the native modules are not built: `BUILD_EXTENSION=yes pip install -e .`, "
            "or set GROUNDSWELL_PURE=1 to test the pure twins alone"
        )


@pytest.fixture(scope="session", params=KINDS)
def frames(request: pytest.FixtureRequest) -> ModuleType:
    """The frame encoder, native and pure."""
    return _native("_frames") if request.param == "native" else pure_frames


@pytest.fixture(scope="session", params=KINDS)
def websocket(request: pytest.FixtureRequest) -> ModuleType:
    """The WebSocket parser, native and pure."""
    return _native("_websocket") if request.param == "native" else pure_websocket


@pytest.fixture(scope="session")
def native_frames() -> ModuleType:
    """The native frame encoder, to be compared with its twin."""
    return _native("_frames")


@pytest.fixture(scope="session")
def native_websocket() -> ModuleType:
    """The native WebSocket parser, to be compared with its twin."""
    return _native("_websocket")


def _native(name: str) -> ModuleType:
    if PURE_ONLY:
        pytest.skip("GROUNDSWELL_PURE=1")
    return importlib.import_module(f"groundswell.cext.{name}")
