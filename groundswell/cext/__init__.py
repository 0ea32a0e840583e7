"""Native code for the bytes of every viewer, each module with a pure Python twin.

`frames` writes what is sent, `websocket` reads what clients send. Both are taken from the
extension modules where those were built, else from the twins `pure_frames` and `pure_websocket`,
which behave alike. `GROUNDSWELL_PURE=1` in the environment forces the twins. `_hub` is what the
native plane is made of; its twin is the asyncio plane.

No policy, no configuration, no logging and no I/O in here.
"""

import os

__all__ = ["EXTENSION_LOADED"]


def _load() -> bool:
    if os.environ.get("GROUNDSWELL_PURE") == "1":
        return False
    try:
        # All or none: a process never runs on a mixture.
        from groundswell.cext import _frames, _websocket  # noqa: F401 - only whether they load
    except ImportError:
        return False
    return True


EXTENSION_LOADED: bool = _load()
"""Whether `frames` and `websocket` are the native ones."""
