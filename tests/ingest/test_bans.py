"""Banning users over HTTP: who may, what is appended, what is answered and written down."""

from typing import Any

import orjson
import pytest

from groundswell.contract.claims import Role
from groundswell.contract.control import EVERY_VIDEO, Ban, ban_key, decode_control
from groundswell.contract.messages import BAN_SECONDS_MAX
from groundswell.contract.ports.log import OutcomeUnknown
from groundswell.ingest.moderation import BANS_MAX

UNTIL = "2024-09-26T12:44:56.789Z"  # ten minutes from the world's clock
V1 = "/live/v1/bans"


async def ask(client: Any, world: Any, method: str, path: str, **options: Any) -> tuple[int, Any]:
    """Send a request as somebody; by default as a moderator."""
    user, role = options.pop("user", "mo"), options.pop("role", "moderator")
    headers = world.bearer(user, role=role, **options.pop("claims", {}))
    response = await client.request(method, path, headers=headers, **options)
    return response.status, await response.json(content_type=None)


def last_ban(world: Any) -> Ban:
    ban = decode_control(world.log.control[-1][1])
    assert isinstance(ban, Ban)
    return ban


async def test_a_ban_is_in_the_log_before_it_is_answered(client: Any, world: Any) -> None:
    """Under its subject's key; the audit knows who it was."""
    body = {"seconds": 600, "reason": "spam"}
    answer = await ask(client, world, "PUT", V1 + "/auth0%7Cada", json=body)
    assert answer == (200, {"status": "banned", "userID": "auth0|ada", "until": UNTIL})
    [(key, _)] = world.log.control
    assert key == ban_key("v1", "auth0|ada")
    ban = last_ban(world)
    assert (ban.video_id, ban.user_id, ban.moderator) == ("v1", "auth0|ada", "mo")
    assert (ban.time_ms, ban.until_ms) == (world.clock.ms, world.clock.ms + 600_000)
    assert ban.reason == "spam"
    [entry] = world.accounts.entries
    assert (entry.actor, entry.action, entry.target) == ("mo", "user.ban", "auth0|ada")
    assert (entry.video_id, entry.detail) == ("v1", f"until {UNTIL}: spam")
    assert entry.request_id


@pytest.mark.parametrize("body", [{}, {"json": {}}, {"json": {"seconds": None}}])
async def test_a_ban_without_an_end_stands_until_it_is_lifted(
    client: Any, world: Any, body: dict[str, Any]
) -> None:
    """Also where the body is left out."""
    status, answer = await ask(client, world, "PUT", V1 + "/ada", **body)
    assert (status, answer["until"]) == (200, None)
    assert last_ban(world).until_ms is None


async def test_banning_and_lifting_twice_is_well(client: Any, world: Any) -> None:
    """The last one holds; lifting what is not there changes nothing."""
    for seconds in (60, 600):
        await ask(client, world, "PUT", V1 + "/ada", json={"seconds": seconds})
    assert world.bans.banned("ada", "v1").until_ms == world.clock.ms + 600_000
    for _ in range(2):
        answer = await ask(client, world, "DELETE", V1 + "/ada")
        assert answer == (200, {"status": "lifted", "userID": "ada"})
        assert world.bans.banned("ada", "v1") is None
    assert world.log.control[-1] == (ban_key("v1", "ada"), None)
    actions = [entry.action for entry in world.accounts.entries]
    assert actions == ["user.ban", "user.ban", "user.unban", "user.unban"]


async def test_bans_are_listed_a_page_at_a_time(client: Any, world: Any) -> None:
    """By user, with what a moderator wants to know; `Link` leads on."""
    for user in ("cid", "ada", "bob"):
        body = {"seconds": 600, "reason": "spam"} if user == "ada" else {}
        await ask(client, world, "PUT", f"{V1}/{user}", json=body)
    headers = world.bearer("mo", role="moderator")
    first = await client.get(V1, params={"limit": "2"}, headers=headers)
    assert first.headers["Cache-Control"] == "no-store"
    ada, bob = await first.json()
    time = "2024-09-26T12:34:56.789Z"
    assert ada == {
        "userID": "ada",
        "until": UNTIL,
        "timestamp": time,
        "moderator": "mo",
        "reason": "spam",
    }
    assert bob == {"userID": "bob", "until": None, "timestamp": time, "moderator": "mo"}
    following = first.links["next"]["url"]
    second = await client.get(following.path_qs, headers=headers)
    assert [ban["userID"] for ban in await second.json()] == ["cid"]
    assert "Link" not in second.headers


@pytest.mark.parametrize(
    ("query", "code"),
    [("limit=0", "bad_limit"), ("limit=501", "bad_limit"), ("limit=x", "bad_limit"),
     ("page=2", "bad_field")],
)  # fmt: skip
async def test_a_list_has_few_parameters(client: Any, world: Any, query: str, code: str) -> None:
    """Whatever else is a mistake that should be seen."""
    status, answer = await ask(client, world, "GET", f"{V1}?{query}")
    assert (status, answer["code"]) == (400, code)


@pytest.mark.parametrize(("method", "path"), [("PUT", V1 + "/ada"), ("DELETE", V1 + "/ada"),
                                              ("GET", V1)])  # fmt: skip
async def test_only_moderators_ban(client: Any, world: Any, method: str, path: str) -> None:
    """By their token or in the accounts, of this video; an unknown role is not guessed."""
    refused = await ask(client, world, method, path, user="eve", role="viewer")
    assert (refused[0], refused[1]["code"]) == (403, "not_moderator")
    assert (await client.request(method, path)).status == 401
    other = await ask(client, world, method, path, claims={"video": "v2"})
    assert (other[0], other[1]["code"]) == (403, "wrong_video")
    world.accounts.away = True
    unsure = await ask(client, world, method, path, user="eve", role="viewer")
    assert (unsure[0], unsure[1]["code"]) == (503, "store_unavailable")
    assert world.log.control == []
    world.accounts.away = False
    world.accounts.roles["eve", "v1"] = Role.MODERATOR
    assert (await ask(client, world, method, path, user="eve", role="viewer"))[0] == 200


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "/bans/ada"), ("DELETE", "/bans/ada"), ("GET", "/bans")]
)
async def test_only_admins_ban_on_every_video(
    client: Any, world: Any, method: str, path: str
) -> None:
    """With a token for every video, or as an admin of every video in the accounts."""
    for options in ({}, {"role": "viewer"}):
        refused = await ask(client, world, method, path, **options)
        assert (refused[0], refused[1]["code"]) == (403, "not_moderator")
    bound = await ask(client, world, method, path, role="admin", claims={"video": "v1"})
    assert (bound[0], bound[1]["code"]) == (403, "wrong_video")
    world.accounts.roles["eve", EVERY_VIDEO] = Role.MODERATOR
    assert (await ask(client, world, method, path, user="eve", role="viewer"))[0] == 403
    assert world.log.control == []
    world.accounts.roles["eve", EVERY_VIDEO] = Role.ADMIN
    for options in ({"role": "admin"}, {"user": "eve", "role": "viewer"}):
        assert (await ask(client, world, method, path, **options))[0] == 200
    if method != "GET":
        assert world.log.control[-1][0] == ban_key(EVERY_VIDEO, "ada")
        assert world.accounts.entries[-1].video_id is None


async def test_a_ban_on_every_video_is_listed_there_only(client: Any, world: Any) -> None:
    """Each list is what its own DELETE can lift."""
    await ask(client, world, "PUT", "/bans/ada", role="admin")
    await ask(client, world, "PUT", V1 + "/bob")
    for path, user in (("/bans", "ada"), (V1, "bob")):
        _, listed = await ask(client, world, "GET", path, role="admin")
        assert [ban["userID"] for ban in listed] == [user]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"x", "bad_json"),
        (b"[]", "bad_field"),
        (b'{"seconds":0}', "bad_field"),
        (b'{"seconds":1.5}', "bad_field"),
        (b'{"seconds":true}', "bad_field"),
        (b'{"seconds":%d}' % (BAN_SECONDS_MAX + 1), "bad_field"),
        (b'{"reason":""}', "bad_field"),
        (b'{"reason":"a\\nb"}', "bad_field"),
        (orjson.dumps({"reason": "x" * 201}), "bad_field"),
        (b'{"until":5}', "bad_field"),
        (b'{"seconds":5,"seconds":6}', "bad_json"),
    ],
)
async def test_a_wrong_body_bans_nobody(client: Any, world: Any, body: bytes, code: str) -> None:
    """Least of all for longer than was meant."""
    status, answer = await ask(client, world, "PUT", V1 + "/ada", data=body,
                               skip_auto_headers=["Content-Type"])  # fmt: skip
    assert (status, answer["code"]) == (400, code)
    assert world.log.control == []


@pytest.mark.parametrize(
    ("path", "code"),
    [(V1 + "/a%20b", "bad_field"), (V1 + "/" + "x" * 65, "bad_field"), (V1 + "/mo", "bad_field"),
     ("/live/v%201/bans/ada", "bad_video_id")],
)  # fmt: skip
async def test_nobody_is_banned_who_cannot_be(
    client: Any, world: Any, path: str, code: str
) -> None:
    """Neither oneself nor what is no user of no video."""
    status, answer = await ask(client, world, "PUT", path)
    assert (status, answer["code"]) == (400, code)
    assert world.log.control == []


async def test_a_banned_moderator_commands_nobody(client: Any, world: Any) -> None:
    """Not even to lift the ban; an admin always can."""
    await world.ban("mo")
    for method in ("PUT", "DELETE"):
        status, answer = await ask(client, world, method, V1 + "/mo")
        assert (status, answer["code"]) == (403, "banned")
    await world.ban("root")
    status, _ = await ask(client, world, "DELETE", V1 + "/mo", user="root", role="admin")
    assert status == 200


async def test_bans_have_a_bound(client: Any, world: Any) -> None:
    """Every process keeps all of them in memory; those that stand may still be changed."""
    await world.ban("ada")
    world.bans.more = BANS_MAX
    response = await client.put(V1 + "/bob", headers=world.bearer("mo", role="moderator"))
    assert (response.status, response.headers["Retry-After"]) == (503, "60")
    assert (await ask(client, world, "PUT", V1 + "/ada"))[0] == 200
    assert (await ask(client, world, "DELETE", V1 + "/ada"))[0] == 200


async def test_a_ban_that_may_not_stand_is_not_said_to(client: Any, world: Any) -> None:
    """Repeating it is safe."""
    world.log.failure = OutcomeUnknown()
    status, answer = await ask(client, world, "PUT", V1 + "/ada")
    assert (status, answer["code"]) == (503, "outcome_unknown")
    assert world.accounts.entries == []
    world.log.failure = None
    assert (await ask(client, world, "PUT", V1 + "/ada"))[0] == 200


async def test_bans_are_of_videos_that_exist(make_world: Any) -> None:
    """Where only registered ones do."""
    world = make_world(registered_only=True)
    with pytest.raises(Exception, match="no_such_video"):
        await world.ban("ada")
