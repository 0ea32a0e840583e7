"""Rooms: opened for the first viewer, closed after the last, never a trap."""

import asyncio

import pytest

from groundswell.broker.rooms import LINGER_SECONDS
from groundswell.contract.close_codes import UNAVAILABLE
from groundswell.contract.ports.log import Topic
from groundswell.contract.ports.store import StoreUnavailable
from groundswell.contract.position import Position
from groundswell.contract.problems import Refused


class Store:
    """A store whose `applied_offset` waits for a signal, or fails."""

    def __init__(self, store):
        self._store = store
        self.go = asyncio.Event()
        self.asked = asyncio.Event()
        self.away = False

    def __getattr__(self, name):
        return getattr(self._store, name)

    async def applied_offset(self, projection, partition):
        self.asked.set()
        if self.away:
            raise StoreUnavailable("away")
        await self.go.wait()
        return await self._store.applied_offset(projection, partition)


@pytest.fixture(name="join")
def fixture_join(world):
    """Join a new client to a video."""

    async def join(video="v", resume=None):
        handle = world.plane.connect()
        if not world.rooms.join_nowait(handle, video, resume):
            await world.rooms.join(handle, video, resume)
        return world.plane.clients[handle]

    return join


async def test_the_first_viewer_opens_the_room_with_stored_and_logged_comments(world, join):
    """The newest of both, ascending."""
    await world.write("stored")
    await world.persist()
    world.clock.advance(300)
    await world.write("logged")
    world.reader.start()
    client = await join()
    assert client.texts() == ["stored", "logged"]
    assert client.welcomes[0]["recovered"] is False


async def test_a_snapshot_has_the_newest_comments_up_to_its_limit(world, join):
    """Deleted ones are not among them."""
    ids = await world.write(*(str(n) for n in range(80)))
    await world.persist(upto=40)
    await world.delete(ids[79])
    await world.delete(ids[10])
    world.reader.start()
    client = await join()
    assert client.texts() == [str(n) for n in range(29, 79)]


async def test_a_fast_rooms_snapshot_is_filled_with_what_was_shown(world, join, clock):
    """The sample of the last seconds, not what happens to be shown of the last 50."""
    world.make(display_rate=20)
    for _ in range(4):
        await world.write(*("x" for _ in range(300)))
        clock.advance(1)
    world.reader.start()
    client = await join()
    assert len(client.welcomes[0]["comments"]) == 50


async def test_comments_that_come_while_a_room_opens_are_not_lost(world, join, wait_until):
    """The room gathers them; the welcome is what was before."""
    store = Store(world.store)
    world.make(store=store)
    await world.write("before")
    world.reader.start()
    joining = asyncio.create_task(join())
    await store.asked.wait()
    await world.write("meanwhile")
    store.go.set()
    client = await joining
    await wait_until(lambda: len(client.texts()) == 2)
    assert client.texts() == ["before", "meanwhile"]
    assert client.sent[0]["type"] == "welcome"


async def test_a_room_opens_from_memory_when_the_store_is_away(world, join):
    """Live goes on: better few comments than none."""
    store = Store(world.store)
    store.away = True
    world.make(store=store)
    await world.write("recent")
    world.reader.start()
    assert (await join()).texts() == ["recent"]


async def test_an_empty_room_lingers_and_closes(world, join, clock):
    """One viewer that reloads finds it warm."""
    world.reader.start()
    await join()
    world.plane.leave(1)
    world.rooms.housekeep()
    clock.advance(LINGER_SECONDS)
    world.rooms.housekeep()
    assert len(world.rooms) == 1
    clock.advance(1)
    world.rooms.housekeep()
    assert len(world.rooms) == 0
    assert world.reader.opened(world.partition()).rooms == {}
    await world.write("again")
    assert (await join()).texts() == ["again"]


async def test_a_viewer_that_comes_back_keeps_the_room(world, join, clock):
    """The time that it was empty starts anew."""
    world.reader.start()
    await join()
    world.plane.leave(1)
    world.rooms.housekeep()
    clock.advance(LINGER_SECONDS + 1)
    await join()
    world.rooms.housekeep()
    world.plane.leave(2)
    world.rooms.housekeep()
    assert len(world.rooms) == 1


async def test_a_position_that_another_broker_gave_out_is_waited_for(
    world, join, monkeypatch, wait_until
):
    """Our reader is a moment behind; the log has it."""
    world.reader.start()
    await join()
    partition = world.reader.opened(world.partition())
    accept = partition.accept_events
    held = []
    monkeypatch.setattr(partition, "accept_events", held.append)
    await world.write("ahead")
    position = Position(world.log.epoch(Topic.EVENTS), 1)
    joining = asyncio.create_task(join(resume=position))
    await wait_until(lambda: held)
    accept(held[0])
    world.reader._wake(partition)
    client = await joining
    assert client.welcomes[0]["recovered"] is True
    assert client.texts() == []


async def test_a_position_beyond_the_log_is_answered_at_once(world, join):
    """Nobody gave it out, so nothing is waited for."""
    world.reader.start()
    client = await join(resume=Position(world.log.epoch(Topic.EVENTS), 999))
    assert client.welcomes[0]["recovered"] is False


async def test_a_room_that_closes_while_a_viewer_waits_is_opened_again(
    world, join, monkeypatch, wait_until
):
    """Else the viewer would sit in a room that gets nothing."""
    world.reader.start()
    await join()
    world.plane.leave(1)
    resume = Position(world.log.epoch(Topic.EVENTS), 1)

    async def close_meanwhile(video_id, position):
        world.rooms._close(video_id)

    monkeypatch.setattr(world.rooms, "_wait_for", close_meanwhile)
    monkeypatch.setattr(world.rooms, "_is_ahead", lambda video_id, position: position is not None)
    client = await join(resume=resume)
    await world.write("live")
    await wait_until(lambda: "live" in client.texts())


async def test_viewers_of_a_lost_partition_are_sent_away_and_come_back(world, join):
    """Closed with a code that says: reconnect. The next one finds a new room."""
    await world.write("a")
    world.reader.start()
    client = await join()
    world.reader._close_one(world.partition())
    assert client.closed is UNAVAILABLE
    assert len(world.rooms) == 0
    await world.write("b")
    assert (await join()).texts() == ["a", "b"]


async def test_a_partition_lost_while_a_room_opens_refuses_the_viewer(world, join):
    """The room would never be fed."""
    store = Store(world.store)
    world.make(store=store)
    await world.write("a")
    world.reader.start()
    joining = asyncio.create_task(join())
    await store.asked.wait()
    world.reader._close_one(world.partition())
    store.go.set()
    with pytest.raises(Refused, match="reads_behind"):
        await joining
    assert len(world.rooms) == 0
    assert (await join()).texts() == ["a"]


async def test_stopping_closes_rooms_that_are_open_and_that_open(world, join):
    """No task and no timer is left."""
    store = Store(world.store)
    world.make(store=store)
    store.go.set()
    world.reader.start()
    await join("v")
    store.go.clear()
    store.asked.clear()
    other = next(f"v{n}" for n in range(99) if world.partition(f"v{n}") == world.partition())
    joining = asyncio.create_task(join(other))
    await store.asked.wait()
    await world.rooms.stop()
    assert len(world.rooms) == 0
    with pytest.raises(asyncio.CancelledError):
        await joining
