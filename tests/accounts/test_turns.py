"""Writers that share a transaction: who waits, writes with the next."""

import asyncio
from collections.abc import Sequence

import pytest

from groundswell.accounts.turns import Turns


class Desk:
    """Notes each group; the first waits until it is let go."""

    def __init__(self) -> None:
        self.groups: list[list[str]] = []
        self.go = asyncio.Event()
        self.begun = asyncio.Event()

    async def write(self, works: Sequence[str]) -> None:
        self.groups.append(list(works))
        self.begun.set()
        await self.go.wait()
        if "bad" in works:
            raise OSError("refused")


async def test_those_who_wait_share_the_next_group_up_to_its_size() -> None:
    """In the order in which they came; what is larger than a group is one alone."""
    desk = Desk()
    turns = Turns(desk.write, size_max=3)
    first = asyncio.create_task(turns.do("a", size=1))
    await desk.begun.wait()
    sizes = {"b": 1, "c": 2, "d": 1, "e": 9}
    others = [asyncio.create_task(turns.do(work, size=size)) for work, size in sizes.items()]
    await asyncio.sleep(0)
    desk.go.set()
    await asyncio.gather(first, *others)
    assert desk.groups == [["a"], ["b", "c"], ["d"], ["e"]]


async def test_all_of_a_group_hear_of_its_failure() -> None:
    """Others do not."""
    desk = Desk()
    turns = Turns(desk.write, size_max=2)
    first = asyncio.create_task(turns.do("a", size=1))
    await desk.begun.wait()
    others = [asyncio.create_task(turns.do(work, size=1)) for work in ("bad", "b", "c")]
    await asyncio.sleep(0)
    desk.go.set()
    await first
    with pytest.raises(OSError, match="refused"):
        await others[0]
    with pytest.raises(OSError, match="refused"):
        await others[1]
    await others[2]


async def test_a_cancelled_call_is_left_out_and_stops_nobody() -> None:
    """Whether it waits or is the one that writes."""
    desk = Desk()
    turns = Turns(desk.write, size_max=9)
    writer = asyncio.create_task(turns.do("a", size=1))
    await desk.begun.wait()
    waiting = asyncio.create_task(turns.do("b", size=1))
    other = asyncio.create_task(turns.do("c", size=1))
    await asyncio.sleep(0)
    waiting.cancel()
    writer.cancel()
    await asyncio.wait([waiting, writer])
    desk.go.set()
    await other
    assert desk.groups == [["a"], ["c"]]
