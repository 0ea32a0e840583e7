"""One deadline for very many waits: those that begin together share a timer."""

import asyncio
from collections.abc import Awaitable
from typing import Final, TypeVar

T = TypeVar("T")

_SLOT: Final = 0.1  # seconds; a wait may last so much longer than the deadline


class _Slot:
    __slots__ = ("began", "expired", "tasks")

    def __init__(self, began: float) -> None:
        self.began = began
        self.tasks: set[asyncio.Task[object]] = set()
        self.expired = False

    def expire(self) -> None:
        self.expired = True
        for task in tuple(self.tasks):
            task.cancel()


class Deadline:
    """Bounds waits by about `seconds`; a tenth of the cost of `asyncio.timeout` for each."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._slot = _Slot(float("-inf"))

    async def wait(self, awaitable: Awaitable[T]) -> T:
        """Return what comes; raises `TimeoutError` at the deadline."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        slot = self._slot
        if now - slot.began > _SLOT:
            slot = self._slot = _Slot(now)
            loop.call_later(self._seconds + _SLOT, slot.expire)
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a deadline needs a task to end")
        slot.tasks.add(task)
        try:
            return await awaitable
        except asyncio.CancelledError:
            # As in asyncio.timeout: only our own cancellation becomes a TimeoutError.
            if slot.expired and task.uncancel() == 0:
                raise TimeoutError from None
            raise
        finally:
            slot.tasks.discard(task)
