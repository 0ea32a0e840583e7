"""The write routes over HTTP: exact shapes, every refusal, and bodies made to break parsers."""

import asyncio
import gzip
import json
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from yarl import URL

from groundswell.contract.ports.log import LogFull, LogUnavailable, OutcomeUnknown
from groundswell.contract.problems import PROBLEMS, RETRY_STATUSES
from groundswell.contract.settings import LimitsSettings

COMMENTS = "/live/v1/comments"


async def problem(response: Any, code: str) -> dict[str, Any]:
    """Check the form that every problem has, and return it."""
    body: dict[str, Any] = await response.json(content_type="application/problem+json")
    row = PROBLEMS[code]
    assert (response.status, body["code"]) == (row.status, code), body
    assert body["title"] == row.title
    assert body["type"] == f"urn:groundswell:problem:{code}"
    assert body["status"] == row.status
    assert body["request_id"] == response.headers["X-Request-Id"]
    if row.status in RETRY_STATUSES:
        assert int(response.headers["Retry-After"]) >= 1
        assert body["retry_after"] > 0
    else:
        assert "Retry-After" not in response.headers
    return body


async def test_post_comment_answers_as_the_protocol_says(client: Any, world: Any) -> None:
    """201, three fields, the position in a header."""
    async with client.post(
        COMMENTS,
        json={"userID": "ada", "commentText": "This is awesome!"},
        headers=world.bearer(),
    ) as response:
        assert response.status == 201
        assert response.headers["Groundswell-Position"] == "00000000000000ff:1"
        assert response.headers["Content-Type"] == "application/json"
        [event] = world.log.events()
        assert await response.json() == {
            "commentID": event.comment_id,
            "status": "success",
            "timestamp": "2024-09-26T12:34:56.789Z",
        }


async def test_a_repeated_request_gets_the_same_answer(client: Any, world: Any) -> None:
    """Body, status and position."""
    headers = {**world.bearer(), "Idempotency-Key": "k1"}
    answers = []
    for _ in range(2):
        async with client.post(COMMENTS, json={"commentText": "x"}, headers=headers) as response:
            position = response.headers["Groundswell-Position"]
            answers.append((response.status, await response.text(), position))
    assert answers[0] == answers[1]
    assert len(world.log.events()) == 1


async def test_a_reply_names_its_parent(client: Any, world: Any) -> None:
    """`replyToCommentID` goes into the event."""
    parent = world.ids.mint("v1")
    body = {"commentText": "yes", "replyToCommentID": parent}
    async with client.post(COMMENTS, json=body, headers=world.bearer()) as response:
        assert response.status == 201
    assert world.log.events()[0].parent_id == parent


async def test_reactions_answer_with_every_type(client: Any, world: Any) -> None:
    """Zeros included, for setting and taking back, with and without a body."""
    comment = world.ids.mint("v1")
    path = f"{COMMENTS}/{comment}/reactions"
    zeros = {"likes": 0, "loves": 0, "hahas": 0, "wows": 0, "sads": 0, "angries": 0}
    like = {"reactionType": "like", "userID": "ada"}
    async with client.post(path, json=like, headers=world.bearer()) as response:
        assert response.status == 200
        assert await response.json() == {"status": "success", "reactionCount": zeros | {"likes": 1}}
    async with client.delete(path, headers=world.bearer()) as response:
        assert await response.json() == {"status": "success", "reactionCount": zeros}
    async with client.delete(path, json=like, headers=world.bearer()) as response:
        assert response.status == 200


async def test_a_heart_answers_with_the_videos_counts(client: Any, world: Any) -> None:
    """The same shape as a comment's."""
    async with client.post(
        "/live/v1/reactions", json={"reactionType": "love"}, headers=world.bearer()
    ) as response:
        assert response.status == 200
        assert (await response.json())["reactionCount"]["loves"] == 1


async def test_delete_comment_answers_as_the_protocol_says(client: Any, world: Any) -> None:
    """Twice the same."""
    comment = world.ids.mint("v1")
    for _ in range(2):
        async with client.delete(
            f"{COMMENTS}/{comment}", headers=world.bearer("mo", role="moderator")
        ) as response:
            assert response.status == 200
            assert await response.json() == {"status": "deleted", "commentID": comment}
    assert world.accounts.entries[0].request_id


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"headers": {}}, "token_missing"),
        ({"headers": {"Authorization": "Basic YTpi"}}, "token_missing"),
        ({"headers": {"Authorization": "Bearer "}}, "token_missing"),
        ({"headers": {"Authorization": "Bearer x.y.z"}}, "token_invalid"),
        ({"claims": {"aud": "other"}}, "token_invalid"),
        ({"claims": {"exp": 1}}, "token_expired"),
        ({"claims": {"video": "v2"}}, "wrong_video"),
        ({"json": {"commentText": "x", "userID": "bob"}}, "user_mismatch"),
        ({"json": {"commentText": ""}}, "text_empty"),
        ({"json": {"commentText": "x" * 501}}, "text_too_long"),
        ({"json": {"commentText": "\x00"}}, "text_forbidden"),
        ({"json": {}}, "bad_field"),
        ({"json": {"commentText": 7}}, "bad_field"),
        ({"json": {"commentText": None}}, "bad_field"),
        ({"json": {"commentText": "x", "admin": True}}, "bad_field"),
        ({"json": {"commentText": "x", "k" * 300: 1}}, "bad_field"),
        ({"json": {"commentText": "x", "replyToCommentID": "5678"}}, "no_such_comment"),
        ({"json": []}, "bad_field"),
        ({"json": {"commentText": "x" * 17_000}}, "body_too_large"),
        ({"key": "not a ref"}, "bad_ref"),
        ({"path": "/live/a%20b/comments"}, "bad_video_id"),
        ({"path": "/live/%2e%2e%2fetc/comments"}, "bad_video_id"),
        ({"path": "/live/v%00/comments"}, "bad_video_id"),
        ({"path": "/live/" + "v" * 65 + "/comments"}, "bad_video_id"),
        ({"path": "/live/v1/nothing"}, "no_such_route"),
        ({"method": "PUT"}, "method_not_allowed"),
        ({"data": b"{}", "content_type": "text/plain"}, "not_json"),
        ({"data": b"a=1", "content_type": "application/x-www-form-urlencoded"}, "not_json"),
        ({"failure": LogFull()}, "disk_full"),
        ({"failure": LogUnavailable()}, "log_unavailable"),
        ({"failure": OutcomeUnknown()}, "outcome_unknown"),
        ({"failure": RuntimeError("secret detail")}, "internal"),
    ],
)
async def test_every_refusal_is_a_problem(
    client: Any, world: Any, change: dict[str, Any], code: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Status, code and form of each; nothing is appended, and nothing of ours leaks."""
    headers = dict(change.get("headers", world.bearer(**change.get("claims", {}))))
    if "key" in change:
        headers["Idempotency-Key"] = change["key"]
    if "content_type" in change:
        headers["Content-Type"] = change["content_type"]
    content: dict[str, Any] = {"json": change.get("json", {"commentText": "x"})}
    if "data" in change:
        content = {"data": change["data"]}
    world.log.failure = change.get("failure")
    path = URL(change.get("path", COMMENTS), encoded=True)
    method = change.get("method", "POST")
    async with client.request(method, path, headers=headers, **content) as response:
        body = await problem(response, code)
        assert ("Allow" in response.headers) == (response.status == 405)
        assert ("WWW-Authenticate" in response.headers) == (response.status == 401)
    assert "secret" not in json.dumps(body)
    assert "Traceback" not in json.dumps(body)
    assert ("Traceback" in caplog.text) == (code == "internal")
    assert world.log.events() == []


@pytest.mark.parametrize(
    ("method", "path", "body", "code"),
    [
        ("POST", "/comments/5678/reactions", {"reactionType": "like"}, "no_such_comment"),
        ("POST", "/comments/{id}/reactions", {"reactionType": "likes"}, "unknown_reaction"),
        ("POST", "/comments/{id}/reactions", {"reactionType": None}, "bad_field"),
        ("POST", "/comments/{id}/reactions", {}, "bad_field"),
        ("POST", "/comments/{id}/reactions", {"reactionType": "like", "userID": "b"},
         "user_mismatch"),
        ("DELETE", "/comments/{id}/reactions", {"userID": "bob"}, "user_mismatch"),
        ("DELETE", "/comments/{id}/reactions", {"x": 1}, "bad_field"),
        ("DELETE", "/comments/5678/reactions", {}, "no_such_comment"),
        ("POST", "/reactions", {"reactionType": "x"}, "unknown_reaction"),
        ("DELETE", "/comments/{id}", None, "not_moderator"),
    ],
)  # fmt: skip
async def test_refusals_of_the_other_routes(
    client: Any, world: Any, method: str, path: str, body: Any, code: str
) -> None:
    """Each route refuses what is not its own."""
    path = "/live/v1" + path.replace("{id}", world.ids.mint("v1"))
    async with client.request(method, path, json=body, headers=world.bearer()) as response:
        await problem(response, code)


async def test_a_limit_answers_with_whole_seconds(make_world: Any) -> None:
    """`Retry-After` is rounded up; the body has the fraction."""
    world = make_world(limits_settings=LimitsSettings(user_comments_burst=1, user_comments=0.4))
    async with TestClient(TestServer(world.app())) as client:
        await client.post(COMMENTS, json={"commentText": "x"}, headers=world.bearer())
        async with client.post(
            COMMENTS, json={"commentText": "x"}, headers=world.bearer()
        ) as response:
            body = await problem(response, "rate_limited")
            assert (response.headers["Retry-After"], body["retry_after"]) == ("3", 2.5)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "bad_json"),
        (b"null", "bad_field"),
        (b"[" * 10_000, "bad_field"),
        (b'{"commentText":' + b"[" * 10_000, "bad_field"),
        (b'{"x":' * 3_000, "bad_field"),
        (b'{"commentText":' + b"1" * 15_000 + b"}", "bad_field"),
        (b'{"commentText":"a","commentText":"b"}', "bad_json"),
        (b'{"commentText":"a","comment\\u0054ext":"b"}', "bad_json"),
        (b'{"commentText":NaN}', "bad_json"),
        (b'{"commentText":Infinity}', "bad_json"),
        (b'{"commentText":"\\ud800"}', "bad_json"),
        (b'{"commentText":"\xed\xa0\x80"}', "bad_json"),
        (b'{"commentText":"\xff"}', "bad_json"),
        (b'{"commentText":"\xc0\xaf"}', "bad_json"),
        (b'\xef\xbb\xbf{"commentText":"a"}', "bad_json"),
        ('{"commentText":"a"}'.encode("utf-16"), "bad_json"),
        (b'{"commentText":"a"} x', "bad_json"),
        (b'{"commentText":"a",}', "bad_json"),
        (b"{'commentText':'a'}", "bad_json"),
        (b'{"commentText":"a\nb"}', "bad_json"),
        (b'{"commentText":99999999999999999999}', "bad_field"),
        (b'{"commentText":true}', "bad_field"),
        (b'{"commentText":{"a":1}}', "bad_field"),
        (b'{"' + b"k" * 15_000 + b'":1}', "bad_field"),
        (b'{"commentText":"a","userID":["ada"]}', "bad_field"),
    ],
)
async def test_json_made_to_break_parsers_is_refused(
    client: Any, world: Any, body: bytes, code: str
) -> None:
    """400 and the right code, never an exception of ours."""
    headers = {**world.bearer(), "Content-Type": "application/json"}
    async with client.post(COMMENTS, data=body, headers=headers) as response:
        await problem(response, code)
    async with client.post(COMMENTS, json={"commentText": "next"}, headers=headers) as response:
        assert response.status == 201


@pytest.mark.parametrize(
    "content_type",
    [None, "application/json", "application/json; charset=utf-8", "Application/JSON"],
)
async def test_json_may_be_named_in_any_usual_way(
    client: Any, world: Any, content_type: str | None
) -> None:
    """Or not named at all."""
    headers = world.bearer() | ({"Content-Type": content_type} if content_type else {})
    async with client.post(
        COMMENTS, data=b'{"commentText":"x"}', headers=headers,
        skip_auto_headers=["Content-Type"],
    ) as response:  # fmt: skip
        assert response.status == 201


async def test_a_chunked_body_is_held_to_the_same_limit(client: Any, world: Any) -> None:
    """Without a declared length the bytes are counted as they come."""

    async def pieces(count: int) -> Any:
        yield b'{"commentText":"x"}'
        for _ in range(count):
            yield b" " * 1000

    headers = {**world.bearer(), "Content-Type": "application/json"}
    async with client.post(COMMENTS, data=pieces(3), headers=headers) as response:
        assert response.status == 201
    async with client.post(COMMENTS, data=pieces(30), headers=headers) as response:
        await problem(response, "body_too_large")


async def test_a_compressed_body_is_not_inflated(make_world: Any) -> None:
    """What is sent is what is read: no bomb can grow (the listener turns inflation off)."""
    world = make_world()
    server = TestServer(world.app())
    await server.start_server(auto_decompress=False)
    async with TestClient(server) as client:
        headers = {
            **world.bearer(), "Content-Type": "application/json", "Content-Encoding": "gzip"
        }  # fmt: skip
        bomb = gzip.compress(b" " * 10_000_000)
        async with client.post(COMMENTS, data=bomb, headers=headers) as response:
            await problem(response, "bad_json")


async def test_a_body_that_does_not_come_is_given_up(make_world: Any) -> None:
    """408 after the body's time."""
    world = make_world(body_timeout=0.05)
    server = TestServer(world.app())
    async with TestClient(server):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(
            f"POST {COMMENTS} HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n"
            f"Authorization: Bearer {world.token()}\r\n\r\n{{".encode()
        )
        head = await asyncio.wait_for(reader.readuntil(b"\r\n"), 5)
        assert b" 408 " in head
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("path", [COMMENTS, "/live/v1/reactions"])
async def test_a_write_without_a_length_is_told_so(client: Any, world: Any, path: str) -> None:
    """411: by RFC 9112 section 6.3 it has no body, which its sender surely did not mean."""
    reader, writer = await asyncio.open_connection("127.0.0.1", client.server.port)
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {world.token()}\r\n\r\n"
    writer.write(head.encode())
    answer = await asyncio.wait_for(reader.readuntil(b"}"), 5)
    assert b" 411 " in answer
    assert b'"code":"length_required"' in answer
    writer.close()
    await writer.wait_closed()


async def test_where_a_body_may_be_left_out_its_length_may_be_too(client: Any, world: Any) -> None:
    """Taking a reaction back, and deleting a comment."""
    comment = world.ids.mint("v1")
    for path, user in (("/reactions", "ada"), ("", "mo")):
        reader, writer = await asyncio.open_connection("127.0.0.1", client.server.port)
        token = world.token(user, role="moderator")
        writer.write(
            f"DELETE {COMMENTS}/{comment}{path} HTTP/1.1\r\nHost: x\r\n"
            f"Authorization: Bearer {token}\r\n\r\n".encode()
        )
        assert b" 200 " in await asyncio.wait_for(reader.readuntil(b"\r\n"), 5)
        writer.close()
        await writer.wait_closed()
