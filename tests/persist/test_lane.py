"""How much the lanes of a projection hold while nothing can be written, and when they write."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import pytest

from groundswell.contract.ports.log import Batch, Record, Topic
from groundswell.contract.ports.store import Projection
from groundswell.persist import lane as lanes_module
from groundswell.persist.backoff import Backoff
from groundswell.persist.lane import (
    LANE_ROWS_MAX,
    LANE_ROWS_MIN,
    ROWS_MAX,
    Counters,
    Decoded,
    Held,
    Lane,
    rows_of_a_lane,
)

Wait = Callable[[Callable[[], bool]], Awaitable[None]]


@pytest.mark.parametrize("lanes", [0, 1, 8, 64, 128])
def test_all_lanes_together_are_bounded(lanes: int) -> None:
    """One lane has no more than a transaction wants, many have a fair share."""
    rows = rows_of_a_lane(lanes)
    assert LANE_ROWS_MIN <= rows <= LANE_ROWS_MAX
    assert rows * lanes <= ROWS_MAX


def test_a_lane_can_always_work() -> None:
    """However many there are."""
    assert rows_of_a_lane(4096) == LANE_ROWS_MIN


class Pile:
    """A fold that keeps values, and the store that they are written to."""

    def __init__(self) -> None:
        self.unwritten: list[bytes] = []
        self.writes: list[int] = []  # rows of each

    def decode(self, value: bytes) -> bytes:
        return value

    async def load(self, records: Sequence[Decoded[bytes]]) -> None:
        """Nothing is needed."""

    def fold(self, records: Sequence[Decoded[bytes]]) -> None:
        self.unwritten += [one.value for one in records]

    async def publish(self) -> None:
        """Nobody is told."""

    def settle(self) -> None:
        """Nothing is counted."""

    def unwritten_rows(self) -> int:
        return len(self.unwritten)

    def hand_out(self) -> list[bytes]:
        rows, self.unwritten = self.unwritten, []
        return rows

    def written(self) -> None:
        """Nothing was held back for it."""

    async def applied_offset(self, projection: Projection, partition: int) -> int:
        return 0

    async def apply(self, partition: int, batch: list[bytes], *, upto: int) -> None:
        self.writes.append(len(batch))


@pytest.fixture
async def pile() -> Pile:
    """What the lane folds and where it writes."""
    return Pile()


@pytest.fixture
async def lane(pile: Pile, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Lane[Any, Any]]:
    """A lane at work that would linger for ever, and has written one row."""

    async def nothing(*_: object) -> None:
        pass

    monkeypatch.setattr(lanes_module, "LINGER_S", 3600)
    made: Lane[Any, Any] = Lane(
        Projection.COMMENTS,
        0,
        applied=0,
        compacted=False,
        fold=pile,
        store=pile,
        dead_letter=nothing,
        commit=nothing,
        held=Held(1 << 20),
        rows_max=lambda: LANE_ROWS_MAX,
        counters=Counters(),
        backoff=Backoff(),
    )
    running = asyncio.create_task(made.run())
    yield made
    made.stop()
    await running


def batch(first: int, count: int) -> Batch:
    """Return consecutive records."""
    records = [Record(first + n, 0, None, b"x") for n in range(count)]
    return Batch(Topic.EVENTS, 0, records, first + count)


async def test_what_comes_after_a_write_is_written_together(
    lane: Lane[Any, Any], pile: Pile, wait_until: Wait
) -> None:
    """And the end of the lane is not waited for."""
    lane.put(batch(0, 1))
    await wait_until(lambda: lane.applied == 1)
    for n in range(1, 6):
        lane.put(batch(n, 1))
    await wait_until(lambda: len(pile.unwritten) == 5)
    assert pile.writes == [1]
    lane.stop()
    await wait_until(lambda: lane.applied == 6)
    assert pile.writes == [1, 5]


async def test_many_rows_are_written_without_lingering(
    lane: Lane[Any, Any], pile: Pile, wait_until: Wait
) -> None:
    """A lane that is behind loses no time."""
    lane.put(batch(0, 1))
    await wait_until(lambda: lane.applied == 1)
    lane.put(batch(1, LANE_ROWS_MIN))
    await wait_until(lambda: lane.applied == 1 + LANE_ROWS_MIN)
    lane.put(batch(1 + LANE_ROWS_MIN, 1))
    await wait_until(lambda: len(pile.unwritten) == 1)
    assert pile.writes == [1, LANE_ROWS_MIN]
