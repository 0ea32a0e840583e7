"""Bad paths, positions, ids and requests that are not HTTP: refused, and nobody else notices."""

from collections.abc import AsyncIterator, Mapping

import pytest

from tests.acceptance.harness.bystander import undisturbed
from tests.acceptance.harness.client import Client, connect, problem_of, refused_by_proxy
from tests.acceptance.harness.deploying import Deploy
from tests.acceptance.harness.deployment import Deployment
from tests.acceptance.harness.viewers import Viewer
from tests.acceptance.harness.wire import RawAnswer, Wire

pytestmark = pytest.mark.stack

FORGED_ID = "0192f0c1-7b8a-7001-8abc-0123456789ab"  # the form is right, the MAC is not


@pytest.fixture
async def client(shared: Deployment) -> AsyncIterator[Client]:
    """A client, with a bystander on the same server who must not notice the test."""
    async with connect(shared) as client, undisturbed(shared, client, "bystander"):
        yield client


async def raw(
    server: Deployment, method: str, path: str, *, headers: Mapping[str, str] | None = None
) -> RawAnswer:
    """Send a request whose path is exactly as it is written."""
    body = "" if method == "GET" else '{"commentText":"x"}'
    lines = {"Host": "test.invalid", **(headers or {})}
    if body:
        lines |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    async with await Wire.open(server) as wire:
        await wire.send(f"{method} {path} HTTP/1.1\r\n{head}\r\n{body}".encode("latin-1"))
        return await wire.read_answer()


@pytest.mark.parametrize(
    "video_id",
    ["a%20b", "a%2Fb", "%00", "a" * 65, "a%0d%0ab", "%F0%9F%98%80", "%2e%2e", "%3Cb%3E", "%ff"],
)
async def test_an_id_that_no_video_can_have_is_refused(
    shared: Deployment, client: Client, video_id: str
) -> None:
    """400 or no such route, for reading, writing and watching."""
    for method, path in [("GET", "comments"), ("POST", "comments"), ("GET", "comments/stream")]:
        headers = client.authorization("ada") | {"Accept": "text/event-stream"}
        answer = await raw(shared, method, f"/live/{video_id}/{path}", headers=headers)
        assert answer.status in {400, 404}, answer
        wanted = {"bad_video_id", "no_such_route", "bad_request"}
        assert refused_by_proxy(answer) or answer.code in wanted, answer


@pytest.mark.parametrize("path", ["/", "/live", "/live/v", "/live/v/comments/x/y/z", "/nothing"])
async def test_a_path_that_leads_nowhere_is_a_problem(client: Client, path: str) -> None:
    """404 with a problem body for clients that write; pages may have a path of their own."""
    answer = await client.request("POST", path, body={"commentText": "x"})
    assert answer.status in {404, 405}
    assert problem_of(answer) in {"no_such_route", "method_not_allowed"}


@pytest.mark.embedded_only("each role knows its own methods")
async def test_a_wrong_method_says_which_are_right(client: Client) -> None:
    """405 with `Allow`."""
    answer = await client.request("PUT", "/live/v/comments", body={})
    assert (answer.status, problem_of(answer)) == (405, "method_not_allowed")
    assert {"GET", "POST"} <= {one.strip() for one in answer.headers["Allow"].split(",")}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("limit=0", "bad_limit"),
        ("limit=501", "bad_limit"),
        ("limit=-1", "bad_limit"),
        ("limit=x", "bad_limit"),
        ("limit=1e2", "bad_limit"),
        ("limit=99999999999999999999", "bad_limit"),
        ("since=yesterday", "bad_position"),
        ("since=2024-13-01T00:00:00Z", "bad_position"),
        ("since=9f:1", "bad_position"),
        ("since=0123456789abcdef:-1", "bad_position"),
        ("since=0123456789abcdef:18446744073709551616", "bad_position"),
        ("since=0123456789ABCDEF:1", "bad_position"),
        ("since=%00", "bad_position"),
        ("since=" + "9" * 4000, "bad_position"),
    ],
)
async def test_bad_queries_are_refused(client: Client, video: str, query: str, code: str) -> None:
    """400 with a code that names the parameter."""
    answer = await client.get(f"/live/{video}/comments?{query}")
    assert (answer.status, problem_of(answer)) == (400, code)


async def test_forged_positions_show_nothing_of_others(
    shared: Deployment, client: Client, video: str
) -> None:
    """A foreign epoch or a future offset: never recovered, never another video's comments."""
    own = await client.post_comment(video, "ada", "own")
    secret = await client.post_comment("somebody-elses", "bob", "not for you")
    epoch, _, offset = own.position.partition(":")
    flipped = format(int(epoch, 16) ^ 1, "016x")
    positions = [f"{flipped}:{offset}", f"{epoch}:{int(offset) + 10_000_000}", f"{flipped}:0"]
    for position in [*positions, f"{epoch}:0", secret.position]:
        answer = await client.get(f"/live/{video}/comments?since={position}")
        assert answer.status in {200, 400}, answer
        assert b"not for you" not in answer.body
        viewer = Viewer(shared, video)
        await viewer.open(position)
        if position in positions:
            assert viewer.seen.recovered == [False]
            assert viewer.seen.shown == [own.json()["commentID"]]
        assert not any("not for you" in text for text in viewer.seen.frames)
        await viewer.cut()


async def test_ids_that_are_not_of_this_video_are_refused(client: Client, video: str) -> None:
    """Forged, foreign or malformed: replies, reactions, deletions and threads say 404 or 400."""
    foreign = (await client.post_comment("another", "ada", "x")).json()["commentID"]
    for comment in (FORGED_ID, foreign, foreign.upper(), "x", "%00", "a" * 300):
        answers = [
            await client.react(video, comment, "ada", "like"),
            await client.react(video, comment, "ada", None),
            await client.delete_comment(video, comment),
            await client.get(f"/live/{video}/comments/{comment}/replies"),
        ]
        for answer in answers:
            assert answer.status in {400, 404}, (comment, answer)
            assert refused_by_proxy(answer) or problem_of(answer) in {
                "no_such_comment",
                "bad_field",
                "bad_request",
            }
        reply = await client.post_comment(video, "ada", "x", reply_to=comment)
        assert reply.status in {400, 404}, (comment, reply)
    kept = await client.comments("another")
    assert foreign in {one["commentID"] for one in kept}, "a foreign id deleted something"


@pytest.mark.parametrize("reaction", ["likes", "LIKE", "", "👍", "like ", 1, None, ["like"], {}])
async def test_unknown_reactions_are_refused(client: Client, video: str, reaction: object) -> None:
    """400 on comments and on the video, and nothing is counted."""
    comment = (await client.post_comment(video, "ada", "x")).json()["commentID"]
    for path in (f"/live/{video}/comments/{comment}/reactions", f"/live/{video}/reactions"):
        answer = await client.request(
            "POST", path, body={"reactionType": reaction}, headers=client.authorization("ada")
        )
        assert answer.status == 400, answer
        assert problem_of(answer) in {"unknown_reaction", "bad_field"}
    [found] = await client.comments(video)
    assert not any(found["reactions"].values())


GARBAGE = {
    "not HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "a bad version": b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
    "a bad method": b"G(T / HTTP/1.1\r\nHost: x\r\n\r\n",
    "NUL in a header": b"GET /live/v/comments HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n",
    "a space before the colon": b"GET /live/v/comments HTTP/1.1\r\nHost : x\r\n\r\n",
    "length and chunks": b"POST /live/v/comments HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": b"POST /live/v/comments HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
    b"Content-Length: 6\r\n\r\nhello!",
    "a negative length": b"POST /live/v/comments HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    "a bad chunk": b"POST /live/v/comments HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
    b"Content-Type: application/json\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
    "a long line": b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "long headers": b"GET /live/v/comments HTTP/1.1\r\nHost: x\r\nA: "
    + b"a" * 100_000
    + b"\r\n\r\n",
    "many headers": b"GET /live/v/comments HTTP/1.1\r\nHost: x\r\n"
    + b"A: b\r\n" * 40_000
    + b"\r\n",
}


@pytest.mark.parametrize("name", GARBAGE)
async def test_what_is_not_http_is_refused(shared: Deployment, client: Client, name: str) -> None:
    """4xx or a closed connection."""
    async with await Wire.open(shared) as wire:
        await wire.send(GARBAGE[name])
        answer = await wire.read_answer()
        assert answer.status == 0 or 400 <= answer.status < 500 or refused_by_proxy(answer), (
            name,
            answer,
        )


async def test_a_length_over_the_limit_is_refused_before_the_body(
    shared: Deployment, client: Client
) -> None:
    """413 at once, without waiting for a terabyte."""
    headers = "".join(f"{k}: {v}\r\n" for k, v in client.authorization("ada").items())
    async with await Wire.open(shared) as wire:
        await wire.send(
            b"POST /live/v/comments HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            + headers.encode()
            + b"Content-Length: 1099511627776\r\n\r\n"
        )
        answer = await wire.read_answer()
        assert answer.status == 413
        assert refused_by_proxy(answer) or answer.code == "body_too_large"


@pytest.mark.embedded_only("behind a proxy the proxy's own time limits hold")
async def test_slow_requests_are_cut_off(deploy: Deploy) -> None:
    """Half a head or half a body is not waited for beyond its time."""
    server = deploy(server_header_timeout="1", server_body_timeout="1")
    token = server.token("ada")
    head = (
        "POST /live/slow/comments HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {token}\r\nContent-Length: 100\r\n\r\n"
    ).encode()
    async with connect(server) as client, undisturbed(server, client, "bystander"):
        for started in (b"", head[:30], head + b'{"comment'):
            async with await Wire.open(server) as wire:
                await wire.send(started)
                answer = await wire.read_answer()
                assert answer.status in {0, 408}, (started[:40], answer)


async def test_many_idle_connections_disturb_nobody(
    shared: Deployment, client: Client, video: str
) -> None:
    """Sockets that never say anything are no hindrance."""
    wires = [await Wire.open(shared) for _ in range(200)]
    for _ in range(20):
        assert (await client.post_comment(video, "ada", "x")).status == 201
    for wire in wires:
        wire.writer.transport.abort()
