"""The gate: what is appended, in which order the checks refuse, and what a retry gets."""

import asyncio
from typing import Any

import orjson
import pytest

from groundswell.contract import faultpoints
from groundswell.contract.claims import Role
from groundswell.contract.control import EVERY_VIDEO
from groundswell.contract.events import EventFlag, EventKind
from groundswell.contract.ids import time_ms_of
from groundswell.contract.partition import key_hash64
from groundswell.contract.ports.log import LogFull, LogUnavailable, OutcomeUnknown
from groundswell.contract.ports.uplink import Accepted, Uplink
from groundswell.contract.problems import Refused
from groundswell.contract.settings import LimitsSettings


async def post(world: Any, text: str = "hello", user: str = "ada", **options: Any) -> Accepted:
    accepted: Accepted = await world.gate.post_comment(
        "v1", text, author=world.claims(user), origin=world.origin, **options
    )
    return accepted


async def refusal(world: Any, *args: Any, **options: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        await post(world, *args, **options)
    return caught.value


def test_the_gate_is_an_uplink(world: Any) -> None:
    """The type checker agrees that a gate is what the broker calls."""
    uplink: Uplink = world.gate
    assert uplink.authenticate(world.token(), "v1").user_id == "ada"


async def test_a_comment_is_one_event_with_its_public_json(world: Any) -> None:
    """What viewers get is written once, in the order of the protocol."""
    parent = world.ids.mint("v1")
    accepted = await post(world, " hé\u0301llo ", reply_to=parent, ref="c1")
    [event] = world.log.events()
    assert event.kind == EventKind.COMMENT
    assert (event.video_id, event.user_id, event.parent_id) == ("v1", "ada", parent)
    assert event.comment_id == accepted.comment_id
    assert event.time_ms == accepted.time_ms == time_ms_of(accepted.comment_id)
    assert event.key_hash == key_hash64("v1", "ada", "c1")
    assert list(orjson.loads(event.public_json).items()) == [
        ("commentID", accepted.comment_id),
        ("userID", "ada"),
        ("commentText", "hé\u0301llo"),
        ("timestamp", "2024-09-26T12:34:56.789Z"),
        ("replyToCommentID", parent),
        ("ref", "c1"),
    ]
    assert event.private is not None
    assert b"192.0.2.7" not in event.private
    assert accepted.position == "00000000000000ff:1"
    assert world.ids.issued("v1", accepted.comment_id)


async def test_without_a_key_the_id_stands_for_it(world: Any) -> None:
    """Two equal texts without a key are two comments."""
    first, second = await post(world), await post(world)
    assert first.comment_id != second.comment_id
    hashes = [event.key_hash for event in world.log.events()]
    assert hashes == [key_hash64("v1", "ada", accepted.comment_id) for accepted in (first, second)]


@pytest.mark.parametrize(
    ("role", "flags"),
    [
        (Role.VIEWER, EventFlag(0)),
        (Role.MODERATOR, EventFlag.PRIVILEGED),
        (Role.ADMIN, EventFlag.PRIVILEGED),
    ],
)
async def test_a_moderators_comment_is_privileged(world: Any, role: Role, flags: EventFlag) -> None:
    """The display budget of rooms passes it always."""
    await world.gate.post_comment("v1", "hi", author=world.claims(role=role), origin=world.origin)
    assert world.log.events()[0].flags == flags


async def test_a_repeated_key_gets_the_same_answer_and_takes_nothing(make_world: Any) -> None:
    """A retry of what stands costs no limit and appends nothing."""
    world = make_world(limits_settings=LimitsSettings(user_comments_burst=1))
    first = await post(world, ref="c1")
    again = await post(world, ref="c1")
    assert again == first
    assert len(world.log.events()) == 1
    assert (await refusal(world, ref="c2")).code == "rate_limited"


async def test_a_repeated_key_with_other_content_is_refused(world: Any) -> None:
    """One key names one comment."""
    await post(world, "one", ref="c1")
    assert (await refusal(world, "two", ref="c1")).code == "key_reused"
    parent = world.ids.mint("v1")
    assert (await refusal(world, "one", ref="c1", reply_to=parent)).code == "key_reused"
    await post(world, "two", ref="c1", user="bob")


async def test_a_key_whose_record_is_not_known_to_stand_is_appended_again(world: Any) -> None:
    """The same id and time, so every reader drops the second one."""
    world.log.failure = OutcomeUnknown()
    assert (await refusal(world, ref="c1")).code == "outcome_unknown"
    world.clock.advance(5)
    world.log.failure = None
    await post(world, ref="c1")
    claim = world.cache.claims["v1", "ada", "c1"]
    assert claim.done
    [event] = world.log.events()
    assert (event.comment_id, event.time_ms) == (claim.comment_id, claim.time_ms)
    assert event.time_ms == world.clock.ms - 5000


async def test_simultaneous_requests_with_one_key_get_one_id(world: Any) -> None:
    """Whoever was first decides the id, also while nothing stands yet."""
    answers = await asyncio.gather(*(post(world, ref="c1") for _ in range(3)))
    assert len({answer.comment_id for answer in answers}) == 1
    assert len({event.key_hash for event in world.log.events()}) == 1


async def test_without_the_cache_comments_still_pass(world: Any) -> None:
    """The key still reaches the log, whose readers drop duplicates."""
    world.cache.away = True
    await post(world, ref="c1")
    assert world.log.events()[0].key_hash == key_hash64("v1", "ada", "c1")


async def test_without_the_cache_limits_hold_in_this_process(make_world: Any) -> None:
    """A lost cache is no way around the limits."""
    world = make_world(limits_settings=LimitsSettings(user_comments_burst=2))
    world.cache.away = True
    await post(world)
    await post(world)
    assert (await refusal(world)).code == "rate_limited"


async def test_limits_hold_per_user_and_per_address(make_world: Any) -> None:
    """Many users behind one address share its limit; the wait is told."""
    world = make_world(
        limits_settings=LimitsSettings(address_comments_burst=3, address_comments=0.5)
    )
    for user in ("u1", "u2", "u3"):
        await post(world, user=user)
    refused = await refusal(world, user="u4")
    assert (refused.code, refused.retry_after) == ("rate_limited", 2.0)
    assert not any("192.0.2.7" in key for key in world.cache.taken)


async def test_limits_can_be_turned_off(make_world: Any) -> None:
    """`limits.enabled` false takes from no limit at all."""
    world = make_world(limits_settings=LimitsSettings(enabled=False, user_comments_burst=1))
    for _ in range(5):
        await post(world)
    assert world.cache.taken == {}


@pytest.mark.parametrize("reply_to", ["", "x", "5678", "0" * 36])
async def test_a_reply_to_an_id_that_is_not_ours_is_refused(world: Any, reply_to: str) -> None:
    """The id itself says whether we issued it."""
    assert (await refusal(world, reply_to=reply_to)).code == "no_such_comment"


async def test_a_reply_to_another_videos_comment_is_refused(world: Any) -> None:
    """Ids are bound to their video."""
    assert (await refusal(world, reply_to=world.ids.mint("v2"))).code == "no_such_comment"


@pytest.mark.parametrize("ref", ["", "a b", "x" * 65, "é", "a/b", "a\n"])
async def test_an_unusable_key_is_refused(world: Any, ref: str) -> None:
    """Keys are words of 1-64 characters."""
    assert (await refusal(world, ref=ref)).code == "bad_ref"


@pytest.mark.parametrize(
    ("failure", "code", "status"),
    [
        (LogFull("disk"), "disk_full", 507),
        (LogUnavailable("down"), "log_unavailable", 503),
        (OutcomeUnknown("timeout"), "outcome_unknown", 503),
    ],
)
async def test_a_failing_log_is_told_with_a_time_to_come_back(
    world: Any, failure: Exception, code: str, status: int
) -> None:
    """Nothing is acknowledged that the log has not."""
    world.log.failure = failure
    refused = await refusal(world)
    assert (refused.code, refused.problem.status) == (code, status)
    assert refused.retry_after is not None
    assert refused.retry_after > 0


async def test_a_log_that_does_not_answer_is_an_unknown_outcome(make_world: Any) -> None:
    """The deadline passes; the record may still come."""
    world = make_world(deadline=0.01)
    world.log.held = asyncio.Event()
    assert (await refusal(world)).code == "outcome_unknown"


async def test_a_token_for_another_video_is_refused(world: Any) -> None:
    """`video` of a token limits it."""
    claims = world.gate.authenticate(world.token(video="v2"), "v2")
    with pytest.raises(Refused) as caught:
        world.gate.authenticate(world.token(video="v2"), "v1")
    assert caught.value.code == "wrong_video"
    with pytest.raises(Refused) as caught:
        await world.gate.post_comment("v1", "x", author=claims, origin=world.origin)
    assert caught.value.code == "wrong_video"


@pytest.mark.parametrize("video", ["v1", EVERY_VIDEO])
async def test_a_banned_user_writes_nothing(world: Any, video: str) -> None:
    """Comments, reactions and hearts; also over a stream that is older than the ban."""
    ada = world.gate.authenticate(world.token(), "v1")
    comment = world.ids.mint("v1")
    await world.ban("ada", video, seconds=60)
    writes = (
        lambda: post(world),
        lambda: world.gate.react("v1", comment, "like", user=ada, origin=world.origin),
        lambda: world.gate.react("v1", comment, None, user=ada, origin=world.origin),
        lambda: world.gate.heart("v1", "love", user=ada, origin=world.origin),
    )
    for write in writes:
        with pytest.raises(Refused) as caught:
            await write()
        assert (caught.value.code, caught.value.problem.status) == ("banned", 403)
        assert caught.value.detail == "until 2024-09-26T12:35:56.789Z"
    assert world.cache.taken == {}
    with pytest.raises(Refused) as caught:
        world.gate.authenticate(world.token(), "v1")
    assert caught.value.code == "banned"
    world.clock.advance(60)
    await post(world)


async def test_a_ban_holds_for_its_user_on_its_video(world: Any) -> None:
    """And for moderators; but admins can always lift it."""
    await world.ban("mo", "v1")
    await world.ban("root", EVERY_VIDEO)
    await post(world)
    world.gate.authenticate(world.token("mo", role="moderator"), "v2")
    world.gate.authenticate(world.token("root", role="admin"), "v1")
    with pytest.raises(Refused) as caught:
        world.gate.authenticate(world.token("mo", role="moderator"), "v1")
    assert (caught.value.code, caught.value.detail) == ("banned", "until it is lifted")


async def test_only_registered_videos_exist_where_that_is_set(make_world: Any) -> None:
    """Answers are remembered for a while; a lost database is bridged by them."""
    world = make_world(registered_only=True)
    assert (await refusal(world)).code == "no_such_video"
    world.accounts.registered.add("v1")
    world.clock.advance(3)
    await post(world)
    await post(world)
    assert world.accounts.asked == 2
    world.accounts.away = True
    world.clock.advance(3600)
    await post(world)


async def test_an_unknown_video_during_an_outage_is_not_guessed(make_world: Any) -> None:
    """Nothing known and nobody to ask: try later."""
    world = make_world(registered_only=True)
    world.accounts.away = True
    assert (await refusal(world)).code == "store_unavailable"


async def test_checks_refuse_before_the_limits_take(world: Any) -> None:
    """A refused text costs its author nothing."""
    await refusal(world, "")
    await refusal(world, reply_to="x")
    assert world.cache.taken == {}


@pytest.mark.parametrize(
    ("point", "appended"), [("ingest.before_append", 0), ("ingest.after_append", 1)]
)
async def test_a_crash_around_the_append_is_healed_by_a_retry(
    world: Any, point: str, appended: int
) -> None:
    """Before it nothing stands, after it everything does; the retry ends in one id."""

    class Killed(BaseException):
        """Stands for the end of the process."""

    def kill() -> None:
        raise Killed

    faultpoints.arm(point, kill)
    try:
        with pytest.raises(Killed):
            await post(world, ref="c1")
    finally:
        faultpoints.disarm()
    assert len(world.log.events()) == appended
    accepted = await post(world, ref="c1")
    assert {event.comment_id for event in world.log.events()} == {accepted.comment_id}
