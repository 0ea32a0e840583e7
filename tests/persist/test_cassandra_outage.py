"""The store while Cassandra is away: bounded answers, and back by itself."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace

import pytest

from groundswell.contract.events import VERSION, Event, EventKind, LoggedEvent
from groundswell.contract.ports.store import CommentsBatch, StoreUnavailable
from groundswell.persist.cassandra_store import CassandraStore
from tests.cassandra import EPOCH, CassandraKeyspace, new_keyspace

pytestmark = pytest.mark.stack

TIMEOUT = 1.0
DEADLINE = 60.0


class Proxy:
    """A TCP port in front of Cassandra that can be cut, and hang without an answer."""

    def __init__(self, host: str, port: int) -> None:
        self._upstream = (host, port)
        self._server: asyncio.Server | None = None
        self._links: set[asyncio.Task[None]] = set()
        self._flows = asyncio.Event()
        self._flows.set()
        self.port = 0

    async def let_through(self) -> None:
        """Take connections, on the same port as before, and pass on what comes."""
        self._flows.set()
        self._server = await asyncio.start_server(self._link, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Break all connections, and refuse new ones."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for link in self._links:
            link.cancel()
        if self._links:
            await asyncio.wait(self._links)

    def hang(self) -> None:
        """Take bytes, and pass none on."""
        self._flows.clear()

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._links.add(task)
        try:
            from_server, to_server = await asyncio.open_connection(*self._upstream)
            try:
                with contextlib.suppress(OSError):
                    await asyncio.gather(
                        self._pump(reader, to_server), self._pump(from_server, writer)
                    )
            finally:
                to_server.transport.abort()
        except asyncio.CancelledError:
            pass  # cut
        finally:
            self._links.discard(task)
            writer.transport.abort()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while chunk := await source.read(1 << 16):
                await self._flows.wait()
                sink.write(chunk)
                await sink.drain()
        sink.transport.abort()


@pytest.fixture(scope="module")
def keyspace() -> Iterator[CassandraKeyspace]:
    """One keyspace; each test takes a generation of its own."""
    with new_keyspace() as made:
        yield made


@pytest.fixture
async def proxy(keyspace: CassandraKeyspace) -> AsyncIterator[Proxy]:
    """A proxy that lets everything through."""
    proxy = Proxy(keyspace.settings.hosts[0], keyspace.settings.port)
    await proxy.let_through()
    yield proxy
    await proxy.cut()


@pytest.fixture
async def store(keyspace: CassandraKeyspace, proxy: Proxy) -> AsyncIterator[CassandraStore]:
    """A store behind the proxy, not started, that waits a second for an answer."""
    settings = replace(keyspace.settings, hosts=("127.0.0.1",), port=proxy.port, timeout=TIMEOUT)
    store = CassandraStore(settings, generation=keyspace.next_generation(), log_epoch=EPOCH)
    yield store
    await store.close()


def comment(offset: int) -> LoggedEvent:
    """Return a comment."""
    event = Event(
        VERSION, EventKind.COMMENT, "launch", f"c{offset}", "ada", 0, None, offset, 1, b"{}"
    )
    return LoggedEvent(offset, 1000, event)


async def apply(store: CassandraStore, offset: int) -> None:
    """Apply one comment."""
    await store.apply(0, CommentsBatch([comment(offset)]), upto=offset + 1)


async def offsets(store: CassandraStore) -> list[int]:
    """Return the offsets of all comments."""
    page = await store.comments("launch", start=0, end=1 << 40, limit=100)
    return [stored.offset for stored in page]


async def apply_until_it_works(store: CassandraStore, offset: int) -> None:
    """Try again as a lane does."""
    async with asyncio.timeout(DEADLINE):
        while True:
            with contextlib.suppress(StoreUnavailable):
                return await apply(store, offset)
            await asyncio.sleep(TIMEOUT / 10)


@pytest.mark.parametrize("away", [Proxy.cut, Proxy.hang])
async def test_calls_fail_in_bounded_time_and_work_again_by_themselves(
    store: CassandraStore, proxy: Proxy, away: Callable[[Proxy], object]
) -> None:
    """Cut off or hanging, then back: no restart, nothing lost, the loop is never blocked."""
    await store.start()
    await apply(store, 1)
    if asyncio.iscoroutine(cutting := away(proxy)):
        await cutting
    for call in (lambda: apply(store, 2), lambda: offsets(store), lambda: apply(store, 2)):
        began = time.monotonic()
        with pytest.raises(StoreUnavailable, match="Cassandra could not"):
            await call()
        assert time.monotonic() - began < 3 * TIMEOUT
    assert not store.writable()
    await proxy.cut()
    await proxy.let_through()
    await apply_until_it_works(store, 2)
    assert store.writable()
    assert await offsets(store) == [1, 2]


async def test_a_store_that_could_not_start_starts_later(
    store: CassandraStore, proxy: Proxy
) -> None:
    """On the same object; until then everything is refused."""
    await proxy.cut()
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="could not connect"):
            await store.start()
        with pytest.raises(StoreUnavailable, match="not open"):
            await apply(store, 1)
        assert not store.writable()
    await proxy.let_through()
    await store.start()
    await apply(store, 1)
    assert await offsets(store) == [1]


async def test_closing_while_cassandra_hangs_is_bounded(
    store: CassandraStore, proxy: Proxy
) -> None:
    """What is under way is told; nothing waits for an answer that will not come."""
    await store.start()
    proxy.hang()
    under_way = [asyncio.create_task(apply(store, offset)) for offset in range(50)]
    await asyncio.sleep(0)
    async with asyncio.timeout(10 * TIMEOUT):
        await store.close()
        outcomes = await asyncio.gather(*under_way, return_exceptions=True)
    assert all(isinstance(outcome, StoreUnavailable) for outcome in outcomes)
