"""The index projections: events and totals in, rows of the accounts database out."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import ClassVar, Protocol

import pytest

from groundswell.accounts import SqlAccounts, SqlIndex, migrate, sqlite_url
from groundswell.contract import faultpoints
from groundswell.contract.events import VERSION, Event, EventKind, TotalsRecord, encode
from groundswell.contract.partition import key_hash64
from groundswell.contract.ports.index import CommentIndex
from groundswell.contract.ports.log import Log, Topic
from groundswell.contract.ports.store import Projection, StoreUnavailable
from groundswell.persist.backoff import Backoff
from groundswell.persist.dead_letters import LogDeadLetters
from groundswell.persist.index import index_projection, index_totals_projection

WaitUntil = Callable[[Callable[[], bool]], Awaitable[None]]
QUICK = Backoff(first=0.001, longest=0.01)
VIDEO = "launch"
EPOCH = "0123456789abcdef"


class Group(Protocol):
    """What a test sees of the log's group."""

    commits: dict[int, int]

    def take_away(self, partition: int) -> None: ...


class TestLog(Log, Protocol):
    """The log in memory, see conftest."""

    __test__: ClassVar[bool] = False

    @property
    def groups(self) -> list[Group]: ...


@pytest.fixture
async def index(tmp_path: Path) -> AsyncIterator[CommentIndex]:
    """An empty index."""
    url = sqlite_url(tmp_path / "accounts.db")
    await migrate(url)
    accounts = SqlAccounts(url)
    await accounts.start()
    yield SqlIndex(accounts, generation=1, log_epoch=EPOCH)
    await accounts.close()


def event(
    comment_id: str,
    *,
    kind: int = EventKind.COMMENT,
    key: str | None = None,
    user: str = "ada",
    time_ms: int = 1,
) -> bytes:
    """Return the bytes of an event; without `key` one that no other event has."""
    key_hash = key_hash64(VIDEO, user, key or f"{kind}/{comment_id}")
    return encode(Event(VERSION, kind, VIDEO, comment_id, user, 0, None, key_hash, time_ms, b"{}"))


def totals(comment_id: str, offset: int, *counts: int, generation: int = 1) -> bytes:
    """Return the bytes of totals."""
    return encode(TotalsRecord(VERSION, VIDEO, comment_id, 0, generation, offset, counts))


async def catch_up(log: Log, index: CommentIndex, projection: Projection, topic: Topic) -> None:
    """Wait until the index has the whole of partition 0."""
    end = (await log.bounds(topic, 0)).end
    async with asyncio.timeout(20):
        while await index.applied_offset(projection, 0) < end:  # noqa: ASYNC110  no event
            await asyncio.sleep(0)


async def run(log: Log, index: CommentIndex) -> int:
    """Run both projections until the index has everything; return how many letters were dead."""
    letters = LogDeadLetters(log)
    events = index_projection(log, index, dead_letters=letters, backoff=QUICK)
    counts = index_totals_projection(log, index, dead_letters=letters, backoff=QUICK)
    await events.start()
    await counts.start()
    await catch_up(log, index, Projection.INDEX, Topic.EVENTS)
    await catch_up(log, index, Projection.INDEX_TOTALS, Topic.TOTALS)
    await events.close()
    await counts.close()
    return events.statistics().dead_letters + counts.statistics().dead_letters


async def test_comments_are_indexed_without_their_duplicates(
    log: TestLog, index: CommentIndex
) -> None:
    """Deleted ones are marked; a restart in between changes nothing."""
    for value in (event("a", key="1"), event("b"), event("c", key="1")):
        await log.append(Topic.EVENTS, 0, value)
    await run(log, index)
    for value in (event("d", key="1"), event("b", kind=EventKind.DELETION), event("x", kind=99)):
        await log.append(Topic.EVENTS, 0, value)
    assert await run(log, index) == 0
    found = await index.comments_of_user("ada", limit=10)
    assert {one.comment_id: one.deleted for one in found} == {"a": False, "b": True}


async def test_the_latest_totals_of_comments_are_indexed(log: TestLog, index: CommentIndex) -> None:
    """Hearts are not, nor what was counted before the topics were made anew; tombstones pass."""
    for value in (
        totals("a", 5, 1, 2),
        totals("b", 6, 9),
        totals("a", 7, 2, 2),
        totals("", 8, 100),
        totals("c", 900, 3, generation=7),
        None,
    ):
        await log.append(Topic.TOTALS, 0, value, key=b"k")
    assert await run(log, index) == 0
    assert await index.totals_of(["a", "b", "c", ""]) == {
        "a": (2, 2, 0, 0, 0, 0),
        "b": (9, 0, 0, 0, 0, 0),
    }


async def test_what_columns_have_no_room_for_is_put_aside(
    log: TestLog, index: CommentIndex
) -> None:
    """One such record must not stop its partition for good."""
    for value in (
        event("a"), event("n" * 65), event("x", user="u\0"), event("y", time_ms=1 << 60),
        event("b"),
    ):  # fmt: skip
        await log.append(Topic.EVENTS, 0, value)
    for value in (totals("a", 1, 1), totals("a", 2, -1), totals("a", 3, 1 << 60)):
        await log.append(Topic.TOTALS, 0, value)
    assert await run(log, index) == 5
    assert len(await index.comments_of_user("ada", limit=9)) == 2
    assert (await log.bounds(Topic.DEAD_LETTERS, 0)).end == 5


@pytest.mark.parametrize(
    "point",
    [
        "persist.index.before_apply",
        "index.before_offset",
        "index.before_commit",
        "persist.index.after_apply",
    ],
)
async def test_a_crash_at_any_point_gives_the_same_rows(
    log: TestLog, index: CommentIndex, point: str
) -> None:
    """The projection starts again by itself, from what the index has."""
    crashes = 0

    def crash() -> None:
        nonlocal crashes
        crashes += 1
        if crashes <= 2:
            raise RuntimeError("crash")

    faultpoints.arm(point, crash)
    for n in range(20):
        await log.append(Topic.EVENTS, 0, event(str(n), key=str(n % 7)))
    await run(log, index)
    await log.append(Topic.EVENTS, 0, event("last"))
    await run(log, index)
    assert crashes >= 2
    found = await index.comments_of_user("ada", limit=100)
    assert {one.comment_id for one in found} == {*map(str, range(7)), "last"}


class AwayIndex:
    """An index that is away until it is told otherwise."""

    def __init__(self, index: CommentIndex) -> None:
        self.away = True
        self.asked = 0
        self._index = index

    async def applied_offset(self, projection: Projection, partition: int) -> int:
        self.asked += 1
        if self.away:
            raise StoreUnavailable("away")
        return await self._index.applied_offset(projection, partition)

    def __getattr__(self, name: str) -> object:
        return getattr(self._index, name)


async def test_a_partition_that_is_lost_while_it_waits_for_the_index_has_no_lane(
    log: TestLog, index: CommentIndex, wait_until: WaitUntil
) -> None:
    """Its next owner writes it; the others go on as soon as the index is back."""
    away = AwayIndex(index)
    worker = index_projection(log, away, dead_letters=LogDeadLetters(log), backoff=QUICK)  # type: ignore[arg-type]  # the rest is delegated
    await worker.start()
    await wait_until(lambda: away.asked >= 3)
    worker._lose(0)  # what the group would call
    away.away = False
    await wait_until(lambda: worker.statistics().partitions == log.partitions(Topic.EVENTS) - 1)
    assert set(worker._lanes) == {1}
    await worker.close()
