"""How the viewers of a process are sent away when it ends."""

import asyncio
from collections.abc import Callable, Sequence

from groundswell.broker.plane import Handle, Plane
from groundswell.contract.close_codes import DRAIN

DRAIN_GRACE_SECONDS = 1.0  # after the last close, for the peers' half of the handshake


async def spread_closes(
    plane: Plane, handles: Sequence[Handle], *, seconds: float, jitter: Callable[[], float]
) -> None:
    """Tell viewers to reconnect, evenly spread over a time; `jitter` gives 0 <= x < 1."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    for index, handle in enumerate(handles):
        due = began + seconds * index / len(handles)
        if due > loop.time():
            await asyncio.sleep(due - loop.time())
        # What is left of the spread is how long the last ones may take to come back.
        plane.close(handle, DRAIN, f"retry_after={max(0.5, seconds * jitter()):.1f}")
