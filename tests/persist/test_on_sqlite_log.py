"""Both projections on the embedded log itself, over restarts of everything."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from groundswell.contract.clock import SystemClock
from groundswell.contract.events import (
    VERSION,
    Event,
    EventKind,
    Hearts,
    Reaction,
    ReactionRecord,
    encode,
)
from groundswell.contract.ports.log import Log, Topic
from groundswell.contract.ports.store import Projection
from groundswell.log.sqlite_log import SqliteLog
from groundswell.persist.backoff import Backoff
from groundswell.persist.comments import comments_projection
from groundswell.persist.dead_letters import LogDeadLetters
from groundswell.persist.projection import group_of
from groundswell.persist.sqlite_store import SqliteStore
from groundswell.persist.tally import tally_projection

VIDEO = "launch"
QUICK = Backoff(first=0.001, longest=0.01)


@asynccontextmanager
async def everything(folder: Path) -> AsyncIterator[tuple[SqliteLog, SqliteStore]]:
    """Open log, store and both projections, as a process would; close them in order."""
    log = SqliteLog(
        folder / "log.db",
        clock=SystemClock(),
        partitions=4,
        keep_for=[
            (group_of(Projection.COMMENTS), Topic.EVENTS),
            (group_of(Projection.TALLY), Topic.REACTIONS),
        ],
    )
    await log.start()
    store = SqliteStore(folder / "store.db", generation=1, log_epoch=log.epoch(Topic.EVENTS))
    await store.start()
    comments = comments_projection(log, store, dead_letters=LogDeadLetters(log), backoff=QUICK)
    tally = tally_projection(
        log, store, dead_letters=LogDeadLetters(log), generation=1, backoff=QUICK
    )
    await comments.start()
    await tally.start()
    yield log, store
    await comments.close()
    await tally.close()
    await store.close()
    await log.close()
    assert comments.statistics().restarts == tally.statistics().restarts == 0


async def catch_up(log: Log, store: SqliteStore) -> None:
    """Wait until the store has the whole log."""
    async with asyncio.timeout(20):
        for projection, topic in (
            (Projection.COMMENTS, Topic.EVENTS),
            (Projection.TALLY, Topic.REACTIONS),
        ):
            for partition in range(log.partitions(topic)):
                end = (await log.bounds(topic, partition)).end
                while await store.applied_offset(projection, partition) < end:  # noqa: ASYNC110  no event
                    await asyncio.sleep(0)


def comment(number: int, *, key_hash: int) -> bytes:
    """Return the bytes of a comment."""
    public = b'{"commentID":"c%d"}' % number
    return encode(
        Event(VERSION, EventKind.COMMENT, VIDEO, f"c{number}", "ada", 0, None, key_hash, 1, public)
    )


async def test_restarts_change_nothing_and_lose_nothing(tmp_path: Path) -> None:
    """Rows, duplicates and counts go on over three lives of the process."""
    for life in range(3):
        async with everything(tmp_path) as (log, store):
            for number in range(life * 10, life * 10 + 10):
                # Of 30 comments every third has the key of the one before it.
                key_hash = number - (number % 3 == 2)
                await log.append(Topic.EVENTS, 1, comment(number, key_hash=key_hash))
                reaction = Reaction(VIDEO, "c0", f"user-{number % 7}", 1 + life)
                record = ReactionRecord(VERSION, 1, [reaction], [Hearts(VIDEO, (1,))])
                await log.append(Topic.REACTIONS, 2, encode(record))
            await catch_up(log, store)
            page = await store.comments(VIDEO, start=0, end=1 << 40, limit=100)
            kept = [n for n in range(life * 10 + 10) if n % 3 != 2]
            assert [stored.comment_id for stored in page] == [f"c{n}" for n in kept]
            totals = (await store.totals(VIDEO, ["c0"]))["c0"]
            assert totals.counts == tuple(7 * (type_ == life) for type_ in range(6))
            (hearts,) = await store.hearts(VIDEO)
            assert hearts.counts == (10 * (life + 1), 0, 0, 0, 0, 0)


async def test_the_group_hears_how_far_the_store_is(tmp_path: Path) -> None:
    """So that the log may let go of old records."""
    async with everything(tmp_path) as (log, store):
        for number in range(5):
            await log.append(Topic.EVENTS, 1, comment(number, key_hash=number))
        await catch_up(log, store)
    async with everything(tmp_path) as (log, store):
        observer = log.group(group_of(Projection.COMMENTS), Topic.EVENTS)
        assert await observer.committed(1) == 5
        await observer.close()
