"""One task waits until others say that there is something."""

import asyncio


class Waker:
    """`wait` is for one task at a time; `wake` and `close` are for anybody of its event loop."""

    def __init__(self) -> None:
        self._waiter: asyncio.Future[None] | None = None
        self._woken = False
        self.closed = False

    async def wait(self) -> None:
        """Return when woken since the last time; raises `CancelledError` once closed."""
        if not self._woken and not self.closed:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        self._woken = False
        if self.closed:
            raise asyncio.CancelledError

    def wake(self) -> None:
        """Let `wait` return."""
        self._woken = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def close(self) -> None:
        """Let `wait` raise, now and from now on."""
        self.closed = True
        self.wake()
