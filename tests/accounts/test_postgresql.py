"""What is particular to PostgreSQL: it goes away, hangs and comes back."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from groundswell.accounts import SqlAccounts, SqlIndex, migrate
from groundswell.contract.ports.accounts import AccountsUnavailable
from groundswell.contract.ports.index import IndexBatch
from groundswell.contract.ports.store import Projection, StoreUnavailable
from tests.accounts.databases import POSTGRESQL_URL, empty_database

pytestmark = [
    pytest.mark.stack,
    pytest.mark.skipif(not POSTGRESQL_URL, reason="GROUNDSWELL_ACCOUNTS_URL is not set"),
]

BOUND_S = 14.0  # a transaction's 10 s, and 2 s in which a connection may say goodbye


class Proxy:
    """Passes bytes on to PostgreSQL, or cuts every connection, or lets them hang."""

    def __init__(self) -> None:
        self._target = urlsplit(POSTGRESQL_URL)
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._flows = asyncio.Event()
        self._flows.set()
        self.port = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self._writers:
            writer.transport.abort()

    def hang(self) -> None:
        self._flows.clear()

    def flow(self) -> None:
        self._flows.set()

    async def close(self) -> None:
        self.flow()
        await self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection(self._target.hostname, self._target.port)
        self._writers |= {writer, there[1]}
        for source, sink in ((reader, there[1]), (there[0], writer)):
            task = asyncio.create_task(self._pass(source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                await self._flows.wait()
                sink.write(data)
                await sink.drain()
        sink.close()


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    """A way to PostgreSQL that a test can close."""
    proxy = Proxy()
    await proxy.start()
    yield proxy
    await proxy.close()


@pytest.fixture
async def url(proxy: Proxy, tmp_path: Path) -> AsyncIterator[str]:
    """A migrated database, by way of the proxy."""
    async with empty_database("postgresql", tmp_path) as direct:
        await migrate(direct)
        parts = urlsplit(direct)
        login = parts.netloc.rpartition("@")[0]
        yield parts._replace(netloc=f"{login}@127.0.0.1:{proxy.port}").geturl()


async def test_accounts_recover_by_themselves(proxy: Proxy, url: str) -> None:
    """While PostgreSQL is away every call says so at once; then all connections are made anew."""
    accounts = SqlAccounts(url, connections=3)
    await accounts.start()
    index = SqlIndex(accounts, generation=1, log_epoch="0" * 16)
    await asyncio.gather(*(accounts.video(f"v{n}") for n in range(3)))
    await proxy.cut()
    began = time.monotonic()
    for _ in range(3):
        with pytest.raises(AccountsUnavailable):
            await accounts.video("v1")
    with pytest.raises(StoreUnavailable):
        await index.apply(0, IndexBatch(()), upto=5)
    assert not accounts.available()
    assert time.monotonic() - began < BOUND_S
    await proxy.start()
    assert await accounts.video("v1") is None
    assert accounts.available()
    await index.apply(0, IndexBatch(()), upto=5)
    assert await index.applied_offset(Projection.INDEX, 0) == 5
    await accounts.close()


async def test_a_server_that_hangs_is_unavailable_in_bounded_time(proxy: Proxy, url: str) -> None:
    """Also for those that wait for a connection; afterwards everything works again."""
    accounts = SqlAccounts(url, connections=1)
    await accounts.start()
    proxy.hang()
    began = time.monotonic()
    answers = await asyncio.gather(
        *(accounts.video(f"v{n}") for n in range(3)), return_exceptions=True
    )
    assert time.monotonic() - began < BOUND_S
    assert [type(answer) for answer in answers] == [AccountsUnavailable] * 3
    proxy.flow()
    assert await accounts.video("v1") is None
    await accounts.close()


async def test_a_start_waits_for_nobody(proxy: Proxy, url: str) -> None:
    """Without PostgreSQL it says so in bounded time, and may be tried again."""
    accounts = SqlAccounts(url, connections=1)
    proxy.hang()
    began = time.monotonic()
    with pytest.raises(AccountsUnavailable):
        await accounts.start()
    assert time.monotonic() - began < BOUND_S
    proxy.flow()
    await accounts.start()
    assert await accounts.video("v1") is None
    await accounts.close()


async def test_two_migrations_at_once_are_one(tmp_path: Path) -> None:
    """The second waits for the first and finds nothing to do."""
    async with empty_database("postgresql", tmp_path) as url:
        await asyncio.gather(migrate(url), migrate(url), migrate(url))
        accounts = SqlAccounts(url)
        await accounts.start()
        await accounts.close()
