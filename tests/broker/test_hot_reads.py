"""Reads where the cache has a video's newest comments: as complete as without it."""

import json

import pytest

from groundswell.broker import reads
from groundswell.broker.reads import Wanted
from groundswell.cache import MemoryCache
from groundswell.contract.ports.cache import CacheUnavailable, HotPage
from groundswell.contract.ports.store import Projection, StoreUnavailable
from groundswell.contract.problems import Refused

GENERATION = 1  # of `world`


class Store:
    """A store that counts its reads of comments, and may be away."""

    def __init__(self, store):
        self._store = store
        self.away = False
        self.reads = []

    def __getattr__(self, name):
        method = getattr(self._store, name)

        async def call(*args, **kwargs):
            self.reads.append(name)
            if self.away:
                raise StoreUnavailable("away")
            return await method(*args, **kwargs)

        return call


class Cache(MemoryCache):
    """A cache that may be away."""

    away = False

    async def page(self, video_id):
        if self.away:
            raise CacheUnavailable
        return await super().page(video_id)


@pytest.fixture(name="store")
def fixture_store(world):
    """The store of the broker under test, its cache beside it."""
    store = Store(world.store)
    world.make(store=store, cache=Cache(clock=world.clock))
    return store


async def put(world, *, upto=None, newest=100, generation=GENERATION):
    """Put the page that the projection would have written at its applied offset."""
    applied = await world.store.applied_offset(Projection.COMMENTS, world.partition())
    upto = applied if upto is None else upto
    comments = await world.store.comments("v", start=0, end=upto, limit=newest, newest=True)
    first = comments[0].offset if len(comments) == newest else 0
    await world.cache.put_page("v", HotPage(generation, first, upto, comments))


async def get(world, *, start=0, limit=50, parent=None):
    """Return the texts of a page of "v"."""

    async def first(number):
        return start

    page = await world.reads.page(Wanted("v", parent), start=first, limit=limit)
    return [json.loads(comment)["commentText"] for comment in page.comments]


async def welcome(world, *, end=None, limit=50):
    """Return the texts of what a new viewer of "v" is given."""
    partition = await world.reader.open(world.partition())
    end = partition.next_offset if end is None else end
    entries, _ = await world.reads.snapshot(partition, "v", end=end, limit=limit)
    return [json.loads(entry.public_json)["commentText"] for entry in entries]


async def forget(world):
    """Have the reader remember nothing that stands in the log now."""
    world.reader.start()
    partition = await world.reader.open(world.partition())
    partition.backlog.forget_oldest(1.0)


async def test_a_page_in_the_cache_stands_in_for_the_store(world, store):
    """For a viewer who comes, and for a page that begins with the video."""
    await world.write(*"abc")
    await world.persist()
    await put(world)
    await forget(world)
    assert await welcome(world) == list("abc")
    assert await get(world) == list("abc")
    assert not {"comments", "applied_offset"} & set(store.reads)


async def test_with_the_store_away_the_cache_is_enough(world, store):
    """Both reads work; without the page there is nothing to be had but what is remembered."""
    await world.write(*"abc")
    await world.persist()
    await forget(world)
    store.away = True
    assert await welcome(world) == []
    with pytest.raises(Refused, match="store_unavailable"):
        await get(world)
    await put(world)
    assert await welcome(world) == list("abc")
    assert await get(world) == list("abc")


@pytest.mark.parametrize("forgotten", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("upto", [0, 2, 5, 7])
async def test_the_log_serves_from_where_the_page_ends(world, store, upto, forgotten):
    """Wherever that is, whatever the reader remembers, and what is deleted there is gone."""
    ids = await world.write(*"abcdef")
    await world.delete(ids[1])
    await world.write("g")
    await world.persist(upto=upto)
    await put(world)
    world.reader.start()
    partition = await world.reader.open(world.partition())
    if forgotten:
        partition.backlog.forget_oldest(forgotten)
    store.away = True
    assert await welcome(world) == list("acdefg")
    assert await get(world) == list("acdefg")
    assert await get(world, start=3) == list("defg")


async def test_a_page_ahead_of_the_reader_is_cut(world, store):
    """A viewer is told of nothing twice: not now and again by the first update."""
    await world.write(*"abcd")
    await world.persist()
    await put(world)
    await forget(world)
    assert await welcome(world, end=2) == list("ab")


async def test_a_page_that_is_too_short_is_not_used(world, store):
    """Neither for more comments than it has, nor from before it begins."""
    await world.write(*"abcdef")
    await world.persist()
    await put(world, newest=3)
    await forget(world)
    assert await welcome(world, limit=3) == list("def")
    assert await get(world, start=3) == list("def")
    assert "comments" not in store.reads
    assert await welcome(world, limit=4) == list("cdef")
    assert await get(world, start=2) == list("cdef")
    assert store.reads.count("comments") == 2


async def test_replies_are_read_from_the_store(world, store):
    """The page does not say what its comments answer to."""
    (parent,) = await world.write("parent")
    await world.write("reply", parent=parent)
    await world.persist()
    await put(world)
    await forget(world)
    assert await get(world, parent=parent) == ["reply"]


async def test_a_page_of_another_generation_is_not_used(world, store):
    """Its offsets are those of another log."""
    await world.write(*"abc")
    await world.persist()
    await put(world, upto=2, generation=GENERATION + 1)
    await forget(world)
    store.away = True
    assert await welcome(world) == []


async def test_a_cache_that_is_away_is_no_loss(world, store):
    """The store has it all."""
    await world.write(*"abc")
    await world.persist()
    await put(world)
    await forget(world)
    world.cache.away = True
    assert await welcome(world) == list("abc")
    assert await get(world) == list("abc")


async def test_far_behind_the_log_the_store_is_asked_first(world, store, monkeypatch):
    """A quiet video in a busy partition: reading the log in between costs more than the store."""
    monkeypatch.setattr(reads, "PAGE_BEHIND_RECORDS", 3)
    await world.write("a")
    await world.persist()
    await put(world)
    await world.write(*"bcdef")
    await world.persist()
    await forget(world)
    assert await welcome(world) == list("abcdef")
    assert await get(world) == list("abcdef")
    assert store.reads.count("comments") == 2
    store.away = True
    assert await welcome(world) == list("abcdef")
    assert await get(world) == list("abcdef")
