"""What every index must do, whatever its engine; only methods of the port are used."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from groundswell.accounts import SqlAccounts, SqlIndex, migrate
from groundswell.contract.events import VERSION, Event, EventKind, LoggedEvent
from groundswell.contract.ports.index import (
    CommentIndex,
    IndexBatch,
    IndexedComment,
    IndexTotalsBatch,
)
from groundswell.contract.ports.store import Projection, StoreUnavailable, Totals
from tests.accounts.databases import ENGINES, empty_database

EPOCH = "0123456789abcdef"
VIDEO = "launch"

OpenIndex = Callable[..., Awaitable[CommentIndex]]
"""Opens the same index again, for this `generation` and `log_epoch`."""


@pytest.fixture(params=ENGINES)
async def open_index(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[OpenIndex]:
    """Open an index; a former one is closed first."""
    opened: list[SqlAccounts] = []
    async with empty_database(request.param, tmp_path) as url:
        await migrate(url)

        async def open_again(*, generation: int = 1, log_epoch: str = EPOCH) -> CommentIndex:
            for former in opened:
                await former.close()
            accounts = SqlAccounts(url)
            opened.append(accounts)
            await accounts.start()
            return SqlIndex(accounts, generation=generation, log_epoch=log_epoch)

        yield open_again
        for accounts in opened:
            await accounts.close()


@pytest.fixture
async def index(open_index: OpenIndex) -> CommentIndex:
    """An empty index."""
    return await open_index()


def comment(
    offset: int, *, name: str | None = None, user: str = "ada", parent: str | None = None
) -> LoggedEvent:
    """Return the event of a comment; its id is `c<offset>` unless named, its time the offset's."""
    event = Event(
        VERSION,
        EventKind.COMMENT,
        VIDEO,
        name or f"c{offset}",
        user,
        0,
        parent,
        offset,
        1000 + offset,
        b"{}",
    )
    return LoggedEvent(offset, 5000 + offset, event)


def deletion(offset: int, comment_id: str) -> LoggedEvent:
    """Return the event of a deletion."""
    event = Event(VERSION, EventKind.DELETION, VIDEO, comment_id, "mod", 0, None, 0, 1, b"{}")
    return LoggedEvent(offset, 5000 + offset, event)


async def apply_events(index: CommentIndex, *events: LoggedEvent, partition: int = 0) -> None:
    """Apply events up to the last of them."""
    await index.apply(partition, IndexBatch(events), upto=events[-1].offset + 1)


async def apply_totals(index: CommentIndex, *totals: Totals, upto: int = 1) -> None:
    """Apply totals."""
    await index.apply(0, IndexTotalsBatch(totals), upto=upto)


async def deleted(index: CommentIndex, comment_id: str) -> bool:
    """Tell whether a comment that is known is deleted."""
    found = await index.comment(comment_id)
    assert found is not None
    return found.deleted


async def test_an_empty_index_has_nothing(index: CommentIndex) -> None:
    """Offsets start at 0; unknown names are no errors."""
    assert await index.applied_offset(Projection.INDEX, 3) == 0
    assert await index.comment("c1") is None
    assert await index.comments_of_user("ada", limit=10) == []
    assert await index.comments_of_video(VIDEO, from_ms=0, to_ms=1 << 50, limit=10) == []
    assert await index.totals_of(["c1"]) == {}
    assert await index.totals_of([]) == {}


async def test_a_comment_is_found_as_it_was_written(index: CommentIndex) -> None:
    """Every field survives."""
    await apply_events(index, comment(3), comment(7, parent="c3", user="bob"))
    assert await index.comment("c7") == IndexedComment(
        "c7", VIDEO, "bob", 1007, "c3", deleted=False, offset=7
    )


async def test_a_users_comments_are_paged_newest_first(index: CommentIndex) -> None:
    """On all videos or one."""
    await apply_events(index, *(comment(n, user="ab"[n % 2]) for n in range(10)))
    found = await index.comments_of_user("a", limit=3)
    assert [one.comment_id for one in found] == ["c8", "c6", "c4"]
    older = await index.comments_of_user("a", before_ms=found[-1].timestamp_ms, limit=3)
    assert [one.comment_id for one in older] == ["c2", "c0"]
    assert await index.comments_of_user("a", video_id="other", limit=3) == []
    assert len(await index.comments_of_user("b", video_id=VIDEO, limit=9)) == 5


async def test_a_videos_comments_are_found_by_time(index: CommentIndex) -> None:
    """The start is in, the end is out; oldest first."""
    await apply_events(index, *(comment(n) for n in range(10)))
    found = await index.comments_of_video(VIDEO, from_ms=1003, to_ms=1006, limit=10)
    assert [one.comment_id for one in found] == ["c3", "c4", "c5"]
    found = await index.comments_of_video(VIDEO, from_ms=1003, to_ms=1006, limit=2)
    assert [one.comment_id for one in found] == ["c3", "c4"]


async def test_a_deleted_comment_is_marked(index: CommentIndex) -> None:
    """In the same batch or a later one; moderators still find it."""
    await apply_events(index, comment(1), comment(2), deletion(3, "c1"))
    await apply_events(index, deletion(4, "c2"))
    assert await deleted(index, "c1")
    assert await deleted(index, "c2")
    found = await index.comments_of_user("ada", limit=10)
    assert [(one.comment_id, one.offset) for one in found] == [("c2", 2), ("c1", 1)]


async def test_the_order_of_batches_does_not_matter(index: CommentIndex) -> None:
    """A deletion that comes before its comment waits for it, unless the log has it earlier, too."""
    await apply_events(index, deletion(5, "c1"), deletion(5, "c9"))
    assert await index.comment("c1") is None
    assert await index.comments_of_video(VIDEO, from_ms=0, to_ms=1 << 50, limit=9) == []
    await apply_events(index, comment(1), comment(9))
    assert await deleted(index, "c1")
    assert not await deleted(index, "c9")
    await apply_events(index, deletion(5, "c9"))  # again, and still before the comment
    assert not await deleted(index, "c9")
    await apply_events(index, deletion(8, "x"))
    await apply_events(index, deletion(6, "x"))
    await apply_events(index, comment(7, name="x"))
    assert await deleted(index, "x")


async def test_a_batch_can_be_applied_again(open_index: OpenIndex) -> None:
    """After a newer one, and by another process: nothing changes, offsets never go back."""
    index = await open_index()
    first = (comment(1), comment(2), comment(1), deletion(3, "c1"))
    await apply_events(index, *first)
    await apply_events(index, comment(4), deletion(5, "c2"))
    index = await open_index()
    await apply_events(index, *first)
    assert await index.applied_offset(Projection.INDEX, 0) == 6
    assert await deleted(index, "c1")
    assert await deleted(index, "c2")
    assert not await deleted(index, "c4")


async def test_each_projection_partition_and_log_has_an_offset_of_its_own(
    open_index: OpenIndex,
) -> None:
    """A batch without rows moves it, too."""
    index = await open_index()
    await apply_events(index, comment(1), partition=1)
    await index.apply(2, IndexBatch(()), upto=7)
    await index.apply(1, IndexTotalsBatch(()), upto=9)
    offsets = [await index.applied_offset(Projection.INDEX, n) for n in range(3)]
    assert offsets == [0, 2, 7]
    assert await index.applied_offset(Projection.INDEX_TOTALS, 1) == 9
    for another in ({"generation": 2}, {"log_epoch": "f" * 16}):
        index = await open_index(**another)
        assert await index.applied_offset(Projection.INDEX, 2) == 0
    index = await open_index()
    assert await index.applied_offset(Projection.INDEX, 2) == 7


async def test_the_latest_totals_win(index: CommentIndex) -> None:
    """By the offset that they are true at, within a batch and between batches; zeros, too."""
    await apply_totals(
        index, Totals(VIDEO, "c1", (1, 0, 2), 5), Totals(VIDEO, "c1", (9, 9, 9), 4),
        Totals(VIDEO, "c2", (0, 0, 0, 0, 0, 3), 5),
    )  # fmt: skip
    assert await index.totals_of(["c1", "c2", "c3"]) == {
        "c1": (1, 0, 2, 0, 0, 0),
        "c2": (0, 0, 0, 0, 0, 3),
    }
    await apply_totals(index, Totals(VIDEO, "c1", (0, 0, 0), 6))
    await apply_totals(index, Totals(VIDEO, "c1", (1, 0, 2), 5))
    assert await index.totals_of(["c1"]) == {"c1": (0,) * 6}


async def test_a_newer_generation_wins(open_index: OpenIndex) -> None:
    """Its offsets begin anew, and are greater all the same."""
    old = await open_index()
    await apply_totals(old, Totals(VIDEO, "c1", (5,), 1000))
    await apply_events(old, comment(1000, name="c1"))
    new = await open_index(generation=2)
    await apply_totals(new, Totals(VIDEO, "c1", (1,), 3))
    await apply_events(new, deletion(2, "c1"))
    assert (await new.totals_of(["c1"]))["c1"][0] == 1
    assert await deleted(new, "c1")
    old = await open_index()
    await apply_totals(old, Totals(VIDEO, "c1", (7,), 1001))
    assert (await old.totals_of(["c1"]))["c1"][0] == 1


async def test_batches_of_many_lanes_at_once_are_all_written(index: CommentIndex) -> None:
    """Large ones, too, which take more than one transaction."""

    async def lane(partition: int) -> None:
        first = partition * 3000
        events = [comment(n) for n in range(first, first + 2500)]
        await apply_events(index, *events, partition=partition)
        totals = [Totals(VIDEO, f"c{n}", (n,), n) for n in range(first, first + 200)]
        await index.apply(partition, IndexTotalsBatch(totals), upto=200)

    await asyncio.gather(*(lane(n) for n in range(4)))
    for partition in range(4):
        offset = await index.applied_offset(Projection.INDEX, partition)
        assert offset == partition * 3000 + 2500
        assert await index.applied_offset(Projection.INDEX_TOTALS, partition) == 200
    assert len(await index.comments_of_user("ada", limit=20_000)) == 10_000
    assert (await index.totals_of(["c9199"]))["c9199"][0] == 9199


async def test_a_cancelled_lane_leaves_the_others_working(index: CommentIndex) -> None:
    """Whether it was its turn or not."""
    lanes = [asyncio.create_task(apply_events(index, comment(n), partition=n)) for n in range(1, 9)]
    await asyncio.sleep(0)
    for lane in lanes[::2]:
        lane.cancel()
    await asyncio.gather(*lanes, return_exceptions=True)
    for n in range(2, 9, 2):
        assert await index.applied_offset(Projection.INDEX, n) == n + 1
        assert await index.comment(f"c{n}") is not None


async def test_a_closed_index_is_unavailable(open_index: OpenIndex) -> None:
    """Every method says so."""
    index = await open_index()
    await open_index()
    for asked in (
        index.applied_offset(Projection.INDEX, 0),
        apply_events(index, comment(1)),
        apply_totals(index, Totals(VIDEO, "c1", (1,), 1)),
        index.comment("c1"),
        index.totals_of(["c1"]),
        index.comments_of_user("ada", limit=1),
        index.comments_of_video(VIDEO, from_ms=0, to_ms=1, limit=1),
    ):
        with pytest.raises(StoreUnavailable):
            await asked
