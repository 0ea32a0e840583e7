"""How the viewers of a process are sent away when it ends."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence

from groundswell.broker.plane import Handle, Plane
from groundswell.contract.close_codes import DRAIN

GRACE_SECONDS = 1.0  # after the last close, for the peers' half of the handshake


class Drain:
    """Tells viewers to reconnect, evenly spread over a time; `jitter` gives 0 <= x < 1."""

    def __init__(self, plane: Plane, *, jitter: Callable[[], float]) -> None:
        self._plane = plane
        self._jitter = jitter
        self._emptied = asyncio.Event()

    async def run(self, handles: Sequence[Handle], *, seconds: float) -> None:
        """Close them all, then wait a little for the last to go."""
        if not handles:
            return
        loop = asyncio.get_running_loop()
        began = loop.time()
        for index, handle in enumerate(handles):
            due = began + seconds * index / len(handles)
            if due > loop.time():
                await asyncio.sleep(due - loop.time())
            # What is left of the spread is how long the last ones may take to come back.
            after = max(0.5, seconds * self._jitter())
            self._plane.close(handle, DRAIN, f"retry_after={after:.1f}")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._emptied.wait(), GRACE_SECONDS)

    def emptied(self) -> None:
        """The last viewer has gone."""
        self._emptied.set()
