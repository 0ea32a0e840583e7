"""Writers that come while another one writes share the next transaction."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

WorkT = TypeVar("WorkT")


class _Waiting(NamedTuple, Generic[WorkT]):
    work: WorkT
    size: int
    done: "asyncio.Future[None]"


class Turns(Generic[WorkT]):
    """Hands work on in groups, one group at a time: whoever waits longest writes for the next.

    So work that comes from many lanes costs one commit a group, and never holds more than one
    connection. A group has at most `size_max`, or one piece of work that is larger.
    """

    def __init__(
        self, write: Callable[[Sequence[WorkT]], Awaitable[None]], *, size_max: int
    ) -> None:
        self._write = write
        self._size_max = size_max
        self._turn = asyncio.Lock()
        self._waiting: deque[_Waiting[WorkT]] = deque()

    async def do(self, work: WorkT, *, size: int) -> None:
        """Return when the work is written, by this call or another; raises what `write` raises.

        A cancelled call's work is not begun any more; where another call is at it, it is done.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        mine = _Waiting(work, size, done)
        self._waiting.append(mine)
        try:
            async with self._turn:
                while not done.done():
                    await self._write_group()
        finally:
            if not done.done():
                done.cancel()
        done.result()

    async def _write_group(self) -> None:
        group = self._next_group()
        try:
            await self._write([waiting.work for waiting in group])
        except Exception as error:  # noqa: BLE001  # each of the group hears of it
            for waiting in group:
                if not waiting.done.done():
                    waiting.done.set_exception(error)
        except BaseException:  # this caller was cancelled: the others have their turn again
            self._waiting.extendleft(reversed(group))
            raise
        else:
            for waiting in group:
                if not waiting.done.done():
                    waiting.done.set_result(None)

    def _next_group(self) -> list[_Waiting[WorkT]]:
        group: list[_Waiting[WorkT]] = []
        size = 0
        while self._waiting:
            if self._waiting[0].done.done():  # its caller was cancelled
                self._waiting.popleft()
                continue
            size += self._waiting[0].size
            if group and size > self._size_max:
                break
            group.append(self._waiting.popleft())
        return group
