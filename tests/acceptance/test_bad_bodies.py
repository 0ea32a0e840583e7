"""Bad bodies and tokens: the right status, a problem, nobody else notices."""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

import pytest

from tests.acceptance.harness.bystander import undisturbed
from tests.acceptance.harness.client import Answer, Client, connect, problem_of, refused_by_proxy
from tests.acceptance.harness.deployment import SECRET, Deployment, mint

pytestmark = pytest.mark.stack

KIB = 1024
BIG = 1_000_000  # aiohttp's client warns of a MiB
GROWTH_KIB = 32 * KIB  # what all bad bodies of a test together may leave in memory
WRONG_SECRET = "another-secret-0123456789abcdef-0123456789"
FORGED_ID = "0192f0c1-7b8a-7001-8abc-0123456789ab"  # the form is right, the MAC is not
NO_ID = "not-an-id"


@pytest.fixture
async def client(shared: Deployment) -> AsyncIterator[Client]:
    """A client, with a bystander on the same server who must not notice the test."""
    async with connect(shared) as client, undisturbed(shared, client, "bystander"):
        yield client


@dataclass(frozen=True)
class Bad:
    """A request that must be refused in one of these ways."""

    name: str
    statuses: set[int]
    body: bytes = b'{"commentText":"fine"}'
    headers: Mapping[str, str] = field(default_factory=dict)
    code: str | None = None

    def __str__(self) -> str:
        return self.name


def text(value: object) -> bytes:
    """Return a comment body with this text."""
    return json.dumps({"commentText": value}).encode()


BODIES = [
    Bad("nothing", {400}, b"", code="bad_json"),
    Bad("not JSON", {400}, b"{commentText: 1}", code="bad_json"),
    Bad("half an object", {400}, b'{"commentText":"x"', code="bad_json"),
    Bad("two objects", {400}, b'{"commentText":"x"}{}', code="bad_json"),
    Bad("NaN", {400}, b'{"commentText":NaN}', code="bad_json"),
    Bad("a list", {400}, b"[]"),
    Bad("a string", {400}, b'"x"'),
    Bad("null", {400}, b"null"),
    Bad("a BOM first", {400}, b"\xef\xbb\xbf" + text("x")),
    Bad("UTF-16", {400}, text("x").decode().encode("utf-16")),
    Bad("invalid UTF-8", {400}, b'{"commentText":"\xff\xfe"}'),
    Bad("overlong UTF-8", {400}, b'{"commentText":"\xc0\xaf"}'),
    Bad("a surrogate in UTF-8", {400}, b'{"commentText":"\xed\xa0\x80"}'),
    Bad("a lone surrogate escape", {400}, b'{"commentText":"\\ud800"}'),
    Bad("a raw control character", {400}, b'{"commentText":"a\nb"}'),
    Bad("deep arrays", {400}, b'{"commentText":' + b"[" * 5000 + b"]" * 5000 + b"}"),
    Bad("deep objects", {400}, b'{"a":' * 2000 + b"1" + b"}" * 2000),
    Bad("unclosed depth", {400}, b"[" * 16_000),
    Bad("a megabyte of digits", {413}, b'{"commentText":' + b"1" * BIG + b"}"),
    Bad("a number over 2^63", {400}, b'{"commentText":99999999999999999999}'),
    Bad("a huge exponent", {400}, b'{"commentText":1e999999}'),
    Bad("a huge body", {413}, text("x" * BIG), code="body_too_large"),
    Bad("just over the limit", {400, 413}, text("x" * 16 * KIB)),
    Bad("no text", {400}, b"{}", code="bad_field"),
    Bad("text that is a number", {400}, text(7), code="bad_field"),
    Bad("text that is null", {400}, text(None), code="bad_field"),
    Bad("text that is a list", {400}, text(["x"]), code="bad_field"),
    Bad("text that is true", {400}, text(True), code="bad_field"),  # noqa: FBT003 - a JSON value
    Bad("an unknown field", {400}, b'{"commentText":"x","admin":true}', code="bad_field"),
    Bad("a long unknown key", {400}, b'{"commentText":"x","' + b"k" * 15_000 + b'":1}'),
    Bad("userID of a wrong type", {400}, b'{"commentText":"x","userID":1}', code="bad_field"),
    Bad("another's userID", {403}, b'{"commentText":"x","userID":"bob"}', code="user_mismatch"),
    Bad("empty text", {400}, text(""), code="text_empty"),
    Bad("white space", {400}, text(" \t\n\u3000"), code="text_empty"),
    Bad("nothing visible", {400}, text("\u200b\u2060\ufeff")),
    Bad("501 characters", {400}, text("x" * 501), code="text_too_long"),
    Bad("a NUL", {400}, text("a\0b"), code="text_forbidden"),
    Bad("an escape sequence", {400}, text("a\x1b[31mb"), code="text_forbidden"),
    Bad("a flood of combining marks", {400}, text("a" + "\u0301" * 200)),
    Bad("a reply to no id", {400, 404}, b'{"commentText":"x","replyToCommentID":"7"}'),
    Bad(
        "a reply to a forged id",
        {404},
        json.dumps({"commentText": "x", "replyToCommentID": FORGED_ID}).encode(),
        code="no_such_comment",
    ),
    Bad("a form", {415}, b"commentText=x", {"Content-Type": "application/x-www-form-urlencoded"}),
    Bad("plain text", {415}, headers={"Content-Type": "text/plain"}),
    Bad("an empty key", {400}, headers={"Idempotency-Key": ""}, code="bad_ref"),
    Bad("a key of 65", {400}, headers={"Idempotency-Key": "k" * 65}, code="bad_ref"),
    Bad("a key with a space", {400}, headers={"Idempotency-Key": "a b"}, code="bad_ref"),
]

TOKENS = {
    "another secret": mint("ada", secret=WRONG_SECRET),
    "another audience": mint("ada", aud="elsewhere"),
    "no audience": mint("ada", aud=None),
    "another issuer": mint("ada", iss="mallory"),
    "no issuer": mint("ada", iss=None),
    "no expiry": mint("ada", exp=None),
    "expiry that is text": mint("ada", exp="never"),
    "no subject": mint("ada", sub=None),
    "a subject with a space": mint("a da"),
    "a subject of 65": mint("a" * 65),
    "a subject of markup": mint("<b>ada</b>"),
    "an unknown role": mint("ada", role="emperor"),
    "not yet valid": mint("ada", nbf=4_000_000_000),
    "an algorithm not configured": mint("ada", algorithm="HS512"),
    "no signature": mint("ada").rpartition(".")[0] + ".",
    "alg none": "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0." + mint("ada").split(".")[1] + ".",
    "a cut token": mint("ada")[:-10],
    "not a token": "not-a-token",
    "7 KB of letters": "a" * 7000,
    "dots": "...",
}


async def post(
    client: Client, path: str, bad: Bad, *, authorization: Mapping[str, str] | None = None
) -> Answer:
    """POST a bad body as it is."""
    headers = {"Content-Type": "application/json"}
    headers |= client.authorization("ada") if authorization is None else authorization
    return await client.request("POST", path, data=bad.body, headers=headers | dict(bad.headers))


def check(answer: Answer, bad: Bad) -> None:
    """Check status, form and code of a refusal."""
    assert answer.status in bad.statuses, (bad.name, answer.status, answer.body)
    if refused_by_proxy(answer):
        return
    code = problem_of(answer)
    assert bad.code in {None, code}, (bad.name, answer.body)
    assert b"Traceback" not in answer.body


@pytest.mark.parametrize("bad", BODIES, ids=str)
async def test_a_bad_comment_is_refused_with_its_reason(
    client: Client, video: str, bad: Bad
) -> None:
    """Status and code of the table, and nothing was stored."""
    check(await post(client, f"/live/{video}/comments", bad), bad)
    assert await client.comments(video) == []


async def test_bad_bodies_leave_no_memory_behind(shared: Deployment, client: Client) -> None:
    """Many large or deep bodies do not grow the process."""
    large = [bad for bad in BODIES if len(bad.body) > 4 * KIB]
    for bad in large:
        check(await post(client, "/live/memory/comments", bad), bad)
    before = shared.memory_kib()
    for _ in range(10):
        for bad in large:
            check(await post(client, "/live/memory/comments", bad), bad)
    assert shared.memory_kib() - before < GROWTH_KIB


@pytest.mark.parametrize("name", TOKENS)
async def test_a_token_that_is_not_ours_is_refused(client: Client, video: str, name: str) -> None:
    """401 on every write, whatever is wrong with the token."""
    headers = {"Authorization": f"Bearer {TOKENS[name]}"}
    for method, path, body in [
        ("POST", f"/live/{video}/comments", {"commentText": "x"}),
        ("POST", f"/live/{video}/reactions", {"reactionType": "like"}),
        ("POST", f"/live/{video}/comments/{FORGED_ID}/reactions", {"reactionType": "like"}),
        ("DELETE", f"/live/{video}/comments/{FORGED_ID}/reactions", None),
        ("DELETE", f"/live/{video}/comments/{FORGED_ID}", None),
    ]:
        answer = await client.request(method, path, body=body, headers=headers)
        assert answer.status == 401, (name, path, answer.body)
        assert problem_of(answer) == "token_invalid"
        assert SECRET.encode() not in answer.body


async def test_missing_expired_and_foreign_tokens_have_codes_of_their_own(client: Client) -> None:
    """A client can tell what to do: sign in, refresh, or stop."""
    body = {"commentText": "x"}
    for headers, status, code in [
        ({}, 401, "token_missing"),
        ({"Authorization": "Basic YTpi"}, 401, "token_missing"),
        ({"Authorization": f"Bearer {mint('ada', ttl_s=-120)}"}, 401, "token_expired"),
        ({"Authorization": f"Bearer {mint('ada', video='other')}"}, 403, "wrong_video"),
    ]:
        answer = await client.request("POST", "/live/codes/comments", body=body, headers=headers)
        assert (answer.status, problem_of(answer)) == (status, code)
