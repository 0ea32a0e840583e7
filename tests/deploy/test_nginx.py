"""The nginx template, in front of fake servers; those marked `stack` start a real nginx."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from deploy.local.errors import StackError
from deploy.local.nginx import Nginx, render_site
from tests.deploy.upstreams import Upstream, hang_up, serving

PATIENCE = 10.0  # seconds


def test_every_name_of_the_template_is_filled_in() -> None:
    """No ${NAME} is left, and nginx's own variables stay."""
    site = render_site(listen="127.0.0.1:80", ingest=["a:1", "b:2"], brokers=["c:3"])
    assert "${" not in site
    assert "$groundswell_video consistent;" in site
    assert site.count("server a:1 ") == site.count("server b:2 ") == site.count("server c:3 ") == 1


@pytest.mark.parametrize("address", ["", "no-port", "a:b", "a:1; include /etc/passwd", "a:1\n"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    """What is written into the configuration is an address and nothing else."""
    with pytest.raises(StackError, match="is not an address"):
        render_site(listen=address, ingest=["a:1"], brokers=["b:1"])


def test_a_site_without_brokers_is_refused() -> None:
    """An upstream without servers would stop nginx."""
    with pytest.raises(StackError, match="at least one"):
        render_site(listen="a:1", ingest=["a:1"], brokers=[])


@asynccontextmanager
async def proxied(
    folder: Path, port: int, *, ingest: Sequence[Upstream], brokers: Sequence[Upstream]
) -> AsyncIterator[aiohttp.ClientSession]:
    """Run nginx before the upstreams and yield a client of it."""
    nginx = Nginx(folder)
    await asyncio.to_thread(
        nginx.configure,
        listen=f"127.0.0.1:{port}",
        ingest=[upstream.address for upstream in ingest],
        brokers=[upstream.address for upstream in brokers],
    )
    await asyncio.to_thread(nginx.start)
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
            yield client
    finally:
        await asyncio.to_thread(nginx.stop)


@pytest.mark.stack
async def test_writes_go_to_ingest_and_reads_to_a_broker(tmp_path: Path, free_port: int) -> None:
    """A preflight goes where its request will go."""
    async with (
        serving() as ingest,
        serving() as broker,
        proxied(tmp_path, free_port, ingest=[ingest], brokers=[broker]) as client,
    ):
        comments = "/live/v/comments"
        asks = {"Access-Control-Request-Method": "POST"}
        for method, headers in (
            ("POST", {}),
            ("DELETE", {}),
            ("OPTIONS", asks),
            ("GET", {}),
            ("OPTIONS", {"Access-Control-Request-Method": "GET"}),
        ):
            async with client.request(method, comments, headers=headers) as response:
                assert response.status == 200
        for listing in ("/live/v/bans", "/bans?limit=5"):
            async with client.get(listing) as response:
                assert response.status == 200
    methods = ["POST", "DELETE", "OPTIONS", "GET", "GET"]
    assert [head.split()[0] for head in ingest.heads] == methods
    assert [head.split()[0] for head in broker.heads] == ["GET", "OPTIONS"]


@pytest.mark.stack
async def test_all_requests_of_a_video_meet_at_one_broker(tmp_path: Path, free_port: int) -> None:
    """Reads and streams of a video share a broker, and videos spread over the brokers."""
    async with (
        serving() as ingest,
        serving() as one,
        serving() as other,
        proxied(tmp_path, free_port, ingest=[ingest], brokers=[one, other]) as client,
    ):
        for video in range(20):
            for path in ("comments", "comments/stream", "comments/c/replies"):
                async with client.get(f"/live/video-{video}/{path}") as response:
                    assert response.status == 200
    videos = [{path.split("/")[2] for path in broker.paths()} for broker in (one, other)]
    assert videos[0]
    assert videos[1]
    assert not videos[0] & videos[1]


@pytest.mark.stack
async def test_a_post_that_was_sent_is_never_sent_again(tmp_path: Path, free_port: int) -> None:
    """Its outcome is unknown; only the client may repeat it."""
    async with (
        serving(hang_up) as one,
        serving(hang_up) as other,
        serving() as broker,
        proxied(tmp_path, free_port, ingest=[one, other], brokers=[broker]) as client,
        client.post("/live/v/comments", json={"commentText": "hello"}) as response,
    ):
        assert response.status == 502
    assert len(one.heads) + len(other.heads) == 1


@pytest.mark.stack
async def test_a_post_passes_a_server_that_is_gone(tmp_path: Path, free_port: int) -> None:
    """A refused connection carried nothing: the next server gets the request."""
    async with serving() as gone:
        pass
    async with (
        serving() as alive,
        serving() as broker,
        proxied(tmp_path, free_port, ingest=[gone, alive], brokers=[broker]) as client,
    ):
        for _ in range(4):
            async with client.post("/live/v/comments") as response:
                assert response.status == 200
    assert len(alive.heads) == 4


@pytest.mark.stack
async def test_a_read_is_repeated_at_another_broker(tmp_path: Path, free_port: int) -> None:
    """A GET changes nothing, so nginx may ask again."""
    async with (
        serving() as ingest,
        serving(hang_up) as dying,
        serving() as alive,
        proxied(tmp_path, free_port, ingest=[ingest], brokers=[dying, alive]) as client,
    ):
        for video in range(8):
            async with client.get(f"/live/video-{video}/comments") as response:
                assert response.status == 200
    assert dying.heads
    assert len(alive.heads) == 8


@pytest.mark.stack
async def test_an_event_passes_while_its_stream_goes_on(tmp_path: Path, free_port: int) -> None:
    """Nothing is buffered on the way to an SSE viewer."""
    seen = asyncio.Event()

    async def stream(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
        await writer.drain()
        await asyncio.wait_for(seen.wait(), PATIENCE)
        writer.close()

    async with (
        serving() as ingest,
        serving(stream) as broker,
        proxied(tmp_path, free_port, ingest=[ingest], brokers=[broker]) as client,
        client.get("/live/v/comments/stream") as response,
    ):
        line = await asyncio.wait_for(response.content.readline(), PATIENCE)
        seen.set()
    assert line == b"data: 1\n"


@pytest.mark.stack
async def test_an_upgrade_opens_a_way_in_both_directions(tmp_path: Path, free_port: int) -> None:
    """After the 101, bytes pass as they come; the server sees the host as the page does."""

    async def upgrade(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
        )
        writer.write(b"echo " + await reader.readexactly(5))
        await writer.drain()
        writer.close()

    async with (
        serving() as ingest,
        serving(upgrade) as broker,
        proxied(tmp_path, free_port, ingest=[ingest], brokers=[broker]),
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", free_port)
        writer.write(
            f"GET /live/v/comments/stream HTTP/1.1\r\nHost: localhost:{free_port}\r\n"
            "X-Forwarded-For: 192.0.2.7\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n".encode()
        )
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)
        writer.write(b"hello")
        echoed = await asyncio.wait_for(reader.readexactly(10), PATIENCE)
        writer.close()
        await writer.wait_closed()
    assert head.startswith(b"HTTP/1.1 101 ")
    assert echoed == b"echo hello"
    lines = broker.heads[0].split("\r\n")
    assert f"Host: localhost:{free_port}" in lines
    assert "Connection: upgrade" in lines
    assert "X-Forwarded-For: 192.0.2.7, 127.0.0.1" in lines
