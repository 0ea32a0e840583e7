"""Which of the twins a process runs on."""

import os
import subprocess
import sys
from types import ModuleType

import pytest

from groundswell import cext
from groundswell.cext import frames, websocket

REPORT = """
from groundswell import cext
from groundswell.cext import frames, websocket
print(cext.EXTENSION_LOADED, frames.update.__module__, websocket.Parser.__module__)
"""


def report(**environment: str) -> list[str]:
    """Return what a fresh process runs on."""
    inherited = {key: os.environ[key] for key in os.environ if key != "GROUNDSWELL_PURE"}
    process = subprocess.run(
        [sys.executable, "-c", REPORT],
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return process.stdout.split()


def test_native_modules_are_taken_where_they_load(native_websocket: ModuleType) -> None:
    """Without a word from the environment, native wins."""
    assert native_websocket.__name__ == "groundswell.cext._websocket"
    assert report() == ["True", "groundswell.cext._frames", "groundswell.cext._websocket"]


def test_environment_forces_pure_python() -> None:
    """`GROUNDSWELL_PURE=1` is for tests, and for ruling the extension out."""
    assert report(GROUNDSWELL_PURE="1") == [
        "False",
        "groundswell.cext.pure_frames",
        "groundswell.cext.pure_websocket",
    ]


def test_modules_of_one_process_are_of_one_kind() -> None:
    """`EXTENSION_LOADED` speaks for both."""
    native = [
        module.startswith("groundswell.cext._")
        for module in (frames.update.__module__, websocket.Parser.__module__)
    ]
    assert native == [cext.EXTENSION_LOADED] * 2


@pytest.mark.parametrize("name", frames.__all__)
def test_every_frame_function_exists_in_both_kinds(frames: ModuleType, name: str) -> None:
    """What can be imported does not depend on a compiler."""
    assert callable(getattr(frames, name))
