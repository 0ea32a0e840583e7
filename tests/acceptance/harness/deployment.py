"""The system under test, as the suite sees it: addresses, tokens, and the power switch.

The tests know nothing else of it, so that the same suite runs on one embedded process and on
separate roles with real engines. Methods block; a test calls them through `asyncio.to_thread`.
"""

import contextlib
import socket
import time
from typing import Protocol

import jwt

from tests.acceptance.harness.stores import Stores

SECRET = "acceptance-tests-only-" * 3  # 66 bytes: long enough for every HMAC
# The suite is about behaviour at any rate: nothing is limited, everything is shown.
OPTIONS = {
    "GROUNDSWELL_LIMITS_ENABLED": "false",
    "GROUNDSWELL_ROOM_DISPLAY_RATE": "0",
    "GROUNDSWELL_STREAM_UPLINK_MESSAGES": "100000",
}


class Door(Protocol):
    """Where clients come in."""

    base_url: str  # http://host:port, without a slash

    def token(
        self, user: str, *, role: str = "viewer", video: str | None = None, ttl_s: float = 3600
    ) -> str:
        """Return a token that the system accepts."""
        ...


class Deployment(Door, Protocol):
    """A running system."""

    internal_url: str  # of a process that serves viewers
    entrance: Door  # of that process itself: a proxy's buffers hide how slow a viewer is
    stores: Stores

    def start(self, *, faultpoint: str | None = None) -> None:
        """Start whatever does not run and wait until it is ready.

        With a fault point such as `persist.tally.before_publish:3` the process that comes there
        kills itself at its third pass, which may be before it is ready.
        """
        ...

    def kill9(self) -> None:
        """Kill every process without a warning."""
        ...

    def send(self, number: int) -> None:
        """Send every process a signal."""
        ...

    def terminate(self) -> int:
        """Ask to stop, wait for the end, return the exit status: the worst of all."""
        ...

    def wait_for_exit(self) -> int:
        """Wait until a process has ended by itself and return its exit status."""
        ...

    def pause_persist(self) -> None:
        """Go on without the projections."""
        ...

    def resume_persist(self) -> None:
        """Let the projections catch up."""
        ...

    def ready(self) -> bool:
        """Tell whether the system says that it is ready."""
        ...

    def alive(self) -> bool:
        """Tell whether every process runs."""
        ...

    def memory_kib(self) -> int:
        """Return the resident memory of all processes."""
        ...

    def environment(self) -> dict[str, str]:
        """Return the environment that its processes run in."""
        ...

    def output(self) -> str:
        """Return everything the processes printed."""
        ...

    def close(self) -> None:
        """End what still runs."""
        ...


def mint(
    user: str,
    *,
    role: str = "viewer",
    video: str | None = None,
    ttl_s: float = 3600,
    secret: str = SECRET,
    algorithm: str = "HS256",
    **changes: object,
) -> str:
    """Sign a token; `changes` replace claims, a change to None removes one."""
    claims: dict[str, object | None] = {
        "sub": user,
        "role": role,
        "video": video,
        "aud": "groundswell",
        "iss": "groundswell",
        "exp": int(time.time() + ttl_s),
    }
    claims |= changes
    present = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(present, secret, algorithm=algorithm)


def free_ports(count: int) -> list[int]:
    """Return ports that were free a moment ago, all different."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
