"""Hot pages: always what the store has, never older than what is there, never in a lane's way."""

import asyncio
import os
import random
import time

import pytest

from groundswell.cache import MemoryCache
from groundswell.cache.redis_cache import RedisCache
from groundswell.contract.clock import SystemClock
from groundswell.contract.events import VERSION, Event, EventKind, LoggedEvent, encode
from groundswell.contract.ports.cache import CacheUnavailable
from groundswell.contract.ports.log import Topic
from groundswell.contract.ports.store import CommentsBatch, StoreUnavailable
from groundswell.contract.settings import RedisSettings
from groundswell.persist.backoff import Backoff
from groundswell.persist.comments import comments_projection
from groundswell.persist.hot_pages import EVENTS_MAX, PAGE_COMMENTS, VIDEOS_MAX, HotPages
from tests.cache.harness.own_redis import client_of, own_prefix, remove_keys

QUICK = Backoff(first=0.001, longest=0.01)


class Cache(MemoryCache):
    """A cache that is away, or that nobody lets go on, when told so; counts what is put."""

    def __init__(self):
        super().__init__(clock=SystemClock())
        self.away = False
        self.goes_on = asyncio.Event()
        self.goes_on.set()
        self.puts = 0

    async def put_page(self, video_id, page):
        await self.goes_on.wait()
        if self.away:
            raise CacheUnavailable
        self.puts += 1
        await super().put_page(video_id, page)


class Author:
    """Writes events of partition 0 to the store, and tells the pages as a lane does."""

    def __init__(self, store, pages):
        self.store, self.pages = store, pages
        self.offset = 0

    def event(self, comment_id, *, video="v", kind=EventKind.COMMENT):
        event = Event(VERSION, kind, video, comment_id, "ada", 0, None, 0, 1, comment_id.encode())
        logged = LoggedEvent(self.offset, 1, event)
        self.offset += 1
        return logged

    async def store_all(self, *events):
        await self.store.apply(0, CommentsBatch(events), upto=self.offset)
        self.pages.stored(0, events, upto=self.offset)

    async def write(self, *comment_ids, video="v"):
        await self.store_all(*(self.event(comment_id, video=video) for comment_id in comment_ids))

    async def delete(self, *comment_ids, video="v"):
        kind = EventKind.DELETION
        await self.store_all(*(self.event(c, video=video, kind=kind) for c in comment_ids))


@pytest.fixture(name="cache")
async def fixture_cache():
    """A cache of the test's own."""
    return Cache()


@pytest.fixture(name="make_pages")
async def fixture_make_pages(store, cache):
    """Start pages on the cache; closed at the end."""
    made = []

    async def make():
        pages = HotPages(cache, store, generation=1, clock=SystemClock())
        await pages.start()
        made.append(pages)
        return pages

    yield make
    for pages in made:
        await pages.close()


@pytest.fixture(name="author")
async def fixture_author(store, make_pages):
    """Writes comments of which the pages hear."""
    return Author(store, await make_pages())


async def wait_for_page(cache, upto, *, video="v"):
    """Wait for a page that is complete to `upto`; return it."""
    async with asyncio.timeout(20):
        while (page := await cache.page(video)) is None or page.upto < upto:  # noqa: ASYNC110  no event
            await asyncio.sleep(0.002)
    return page


def texts(page):
    """Return what is on a page."""
    return [comment.public_json.decode() for comment in page.comments]


async def test_what_is_stored_is_on_the_page_soon(author, cache):
    """With its place in the log, and from where on the page is complete."""
    await author.write("a", "b")
    page = await wait_for_page(cache, 2)
    assert texts(page) == ["a", "b"]
    assert (page.generation, page.first, page.upto) == (1, 0, 2)
    assert [comment.offset for comment in page.comments] == [0, 1]


async def test_what_was_stored_before_comes_from_the_store(author, cache, store):
    """On first touch, also behind events that already wait; only the newest are on the page."""
    old = [f"old{n}" for n in range(PAGE_COMMENTS + 20)]
    events = [author.event(comment_id) for comment_id in old]
    await store.apply(0, CommentsBatch(events), upto=author.offset)
    await author.write("new1")
    await author.write("new2")
    page = await wait_for_page(cache, len(old) + 2)
    assert texts(page) == [*old[-PAGE_COMMENTS + 2 :], "new1", "new2"]
    assert page.first <= page.comments[0].offset


async def test_a_page_holds_the_newest_and_says_from_where(author, cache):
    """Whatever came in between."""
    ids = [f"c{n}" for n in range(3 * EVENTS_MAX)]
    for start in range(0, len(ids), 150):
        await author.write(*ids[start : start + 150])
    page = await wait_for_page(cache, len(ids))
    assert texts(page) == ids[-PAGE_COMMENTS:]
    assert len(ids) - PAGE_COMMENTS - 1 < page.first <= page.comments[0].offset


async def test_a_deletion_takes_the_text_off_the_page_at_once(author, cache):
    """Not only with the next comments."""
    await author.write("a", "secret", "b")
    await wait_for_page(cache, 3)
    began = time.monotonic()
    await author.delete("secret")
    assert texts(await wait_for_page(cache, 4)) == ["a", "b"]
    assert time.monotonic() - began < 1.0


async def test_a_busy_video_is_written_ten_times_a_second(author, cache):
    """However many batches are stored."""
    began = time.monotonic()
    for n in range(60):
        await author.write(f"c{n}")
    await wait_for_page(cache, 60)
    assert cache.puts <= (time.monotonic() - began) / 0.1 + 2


async def test_a_page_that_deletions_emptied_is_read_again(author, cache):
    """Rather than hold ten comments where the store has a hundred."""
    ids = [f"c{n}" for n in range(2 * PAGE_COMMENTS)]
    await author.write(*ids)
    await wait_for_page(cache, len(ids))
    await author.delete(*ids[-90:])
    await wait_for_page(cache, author.offset)
    await author.write("new")
    page = await wait_for_page(cache, author.offset)
    assert texts(page) == [*ids[:-90], "new"][-PAGE_COMMENTS:]


async def test_a_cache_that_was_away_gets_its_pages_when_it_is_back(author, cache):
    """Deletions included: a text must not stay because the cache was away for a moment."""
    await author.write("a", "secret")
    await wait_for_page(cache, 2)
    cache.away = True
    await author.delete("secret")
    await asyncio.sleep(0)
    cache.away = False
    assert texts(await wait_for_page(cache, 3)) == ["a"]


async def test_a_store_that_fails_is_read_later(author, cache, store, monkeypatch):
    """The page is late, not wrong."""
    comments = store.comments
    failures = iter([True])

    async def fail_once(*args, **options):
        if next(failures, False):
            raise StoreUnavailable("away")
        return await comments(*args, **options)

    monkeypatch.setattr(store, "comments", fail_once)
    await author.write("a")
    assert texts(await wait_for_page(cache, 1)) == ["a"]


async def test_an_owner_that_comes_back_late_changes_nothing(author, cache, store, make_pages):
    """Its page is older than what the new owner wrote, also if a text was deleted since."""
    await author.write("a", "secret")
    await wait_for_page(cache, 2)
    cache.goes_on.clear()
    await author.write("b")
    paused = author.pages
    heir = Author(store, await make_pages())
    heir.offset = author.offset
    heir.pages.begin(0)
    await heir.delete("secret")
    cache.goes_on.set()
    await wait_for_page(cache, 4)
    await paused.close()
    page = await cache.page("v")
    assert (texts(page), page.upto) == (["a", "b"], 4)


async def test_what_comes_to_us_again_is_read_again(author, cache, store):
    """Another process may have stored comments meanwhile."""
    await author.write("a")
    await wait_for_page(cache, 1)
    foreign = author.event("foreign")
    await store.apply(0, CommentsBatch([foreign]), upto=author.offset)
    author.pages.begin(0)
    await author.write("b")
    assert texts(await wait_for_page(cache, 3)) == ["a", "foreign", "b"]


async def test_closing_writes_what_is_due(author, cache):
    """A deletion just before the end leaves no text behind."""
    await author.write("a", "secret")
    await author.delete("secret")
    await author.pages.close()
    page = await cache.page("v")
    assert (texts(page), page.upto) == (["a"], 3)


async def test_videos_are_bounded(author, cache):
    """Those that were written to longest ago are read again when they are touched."""
    events = [author.event("c", video=f"v{n}") for n in range(VIDEOS_MAX + 50)]
    await author.store_all(*events)
    await wait_for_page(cache, author.offset, video=f"v{VIDEOS_MAX + 49}")
    await author.write("d", video="v0")
    assert texts(await wait_for_page(cache, author.offset, video="v0")) == ["c", "d"]


@pytest.mark.parametrize("seed", range(4))
async def test_a_page_is_what_the_store_has(author, cache, store, seed):
    """After any mixture of comments, deletions and changes of the owner."""
    rng = random.Random(seed)
    alive = []
    for step in range(40):
        fresh = [f"c{step}-{n}" for n in range(rng.choice([0, 1, 3, 40, 700]))]
        await author.write(*fresh)
        alive += fresh
        doomed = rng.sample(alive, min(len(alive), rng.choice([0, 0, 1, 60])))
        await author.delete(*doomed)
        alive = [comment_id for comment_id in alive if comment_id not in set(doomed)]
        if rng.random() < 0.2:
            author.pages.begin(0)
        if rng.random() < 0.3:
            await wait_for_page_if_any(cache, author)
    await author.write("last")
    page = await wait_for_page(cache, author.offset)
    assert texts(page) == [*alive, "last"][-len(page.comments) :]
    assert page.first == 0 or len(page.comments) <= PAGE_COMMENTS
    stored = await store.comments("v", start=page.first, end=page.upto, limit=10_000)
    assert list(page.comments) == stored


async def wait_for_page_if_any(cache, author):
    """Let the pages catch up, if anything was written since the owner changed."""
    await author.write("between")
    await author.delete("between")
    await wait_for_page(cache, author.offset)


@pytest.mark.stack
async def test_deleted_text_leaves_redis(store):
    """The real cache, seen from behind: the text is in it, and then it is not."""
    url = os.environ.get("GROUNDSWELL_REDIS_URL")
    if not url:
        pytest.skip("GROUNDSWELL_REDIS_URL names no Redis")
    settings = RedisSettings(url=url, prefix=own_prefix(), timeout=5.0)
    redis = RedisCache(settings, clock=SystemClock())
    await redis.start()
    pages = HotPages(redis, store, generation=1, clock=SystemClock())
    await pages.start()
    author = Author(store, pages)
    await author.write("fine", "secret")
    await wait_for_page(redis, 2)
    async with client_of(url) as client:
        assert b"secret" in await client.hget(f"{settings.prefix}page:v", "page")
        await author.delete("secret")
        assert texts(await wait_for_page(redis, 3)) == ["fine"]
        kept = await client.hgetall(f"{settings.prefix}page:v")
    assert not any(b"secret" in value for value in kept.values())
    await pages.close()
    await redis.close()
    await remove_keys(url, settings.prefix)


async def test_the_projection_tells_the_pages(log, store, cache, make_pages):
    """And does not wait for them: a cache that hangs stops no lane."""
    cache.goes_on.clear()
    worker = comments_projection(
        log, store, dead_letters=store, pages=await make_pages(), backoff=QUICK
    )
    await worker.start()
    author = Author(store, None)
    for comment_id in ("a", "b", "c"):
        event = author.event(comment_id).event
        await log.append(Topic.EVENTS, 0, encode(event_with_key(event, comment_id)))
    async with asyncio.timeout(20):
        while len(await store.comments("v", start=0, end=9, limit=9)) < 3:  # noqa: ASYNC110  no event
            await asyncio.sleep(0.002)
    assert await cache.page("v") is None
    cache.goes_on.set()
    assert texts(await wait_for_page(cache, 3)) == ["a", "b", "c"]
    await worker.close()


def event_with_key(event, key):
    """Return the event with a key hash of its own."""
    return Event(
        event.version,
        event.kind,
        event.video_id,
        event.comment_id,
        event.user_id,
        event.flags,
        event.parent_id,
        hash(key) & 0xFFFF,
        event.time_ms,
        event.public_json,
    )


async def test_a_deletion_whose_page_nobody_wrote_is_made_up_for(log, store, cache, make_pages):
    """Who stored it may have ended in between; who comes after rewinds over it."""
    author = Author(store, await make_pages())
    events = [author.event(name) for name in ("a", "b")]
    events.append(author.event("a", kind=EventKind.DELETION))
    for number, event in enumerate(events):
        await log.append(Topic.EVENTS, 0, encode(event_with_key(event.event, f"k{number}")))
    await store.apply(0, CommentsBatch(events[:2]), upto=2)
    author.pages.stored(0, events[:2], upto=2)
    assert texts(await wait_for_page(cache, 2)) == ["a", "b"]
    await author.pages.close()
    await store.apply(0, CommentsBatch(events[2:]), upto=3)  # and then it ended
    worker = comments_projection(
        log, store, dead_letters=store, pages=await make_pages(), backoff=QUICK
    )
    await worker.start()
    assert texts(await wait_for_page(cache, 3)) == ["b"]
    await worker.close()
