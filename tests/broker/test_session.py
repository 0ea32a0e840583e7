"""What viewers send: tokens, comments, reactions, nonsense; and the answers by `ref`."""

import asyncio

import pytest

from groundswell.broker.session import STRIKES, UPLINK_OF_ONE, Session, Sessions
from groundswell.contract.claims import Claims, Role
from groundswell.contract.close_codes import (
    AUTH_REFUSED,
    BAD_MESSAGE,
    BANNED,
    SLOW,
    TOKEN_EXPIRED,
    UNAVAILABLE,
)
from groundswell.contract.messages import encode
from groundswell.contract.ports.uplink import Origin
from groundswell.contract.problems import Refused
from groundswell.contract.settings import RoomSettings, StreamSettings
from tests.broker.harness.author import FakeClock


class FakeRooms:
    """Joins at once, later, or never."""

    def __init__(self):
        self.joined = []
        self.later = False
        self.failure = None

    def join_nowait(self, handle, video_id, resume):
        if self.later:
            return False
        self.joined.append((handle, video_id, resume))
        return True

    async def join(self, handle, video_id, resume):
        if self.failure is not None:
            raise self.failure
        self.joined.append((handle, video_id, resume))


class FakeBans:
    """Bans on one video, or on any where it is None."""

    def __init__(self):
        self.standing = set()

    def banned(self, user_id, video_id):
        return {(user_id, video_id), (user_id, None)} & self.standing or None


class Desk:
    """Sessions between a plane and rooms of clients in memory."""

    def __init__(self, plane, uplink, *, auth_required=False, slow="skip", rate=50.0, leeway=0.0):
        self.plane, self.uplink, self.rooms = plane, uplink, FakeRooms()
        self.bans, self.clock = FakeBans(), FakeClock()
        self.sessions = Sessions(
            plane=plane,
            rooms=self.rooms,
            uplink=uplink,
            control=self.bans,
            clock=self.clock,
            room_settings=RoomSettings(slow_viewers=slow),
            stream_settings=StreamSettings(uplink_messages=rate),
            auth_required=auth_required,
            token_leeway=leeway,
        )

    def begin(self, *, token=None, resume=None, claims=None, video="v"):
        handle = self.plane.connect()
        if token is not None:
            claims = self.uplink.authenticate(token, video)
        self.sessions.begin(handle, Session(video, Origin("192.0.2.1"), claims, resume))
        return handle

    async def ban(self, *users, video=None):
        """Ban users and let their streams be closed."""
        self.bans.standing.update((user, video) for user in users)
        self.sessions.dismiss_banned(users)
        await self.sessions.finish()

    async def say(self, handle, *messages):
        """Send messages and let them be carried out; returns the answers."""
        sent = self.plane.clients[handle].sent
        before = len(sent)
        texts = [m if isinstance(m, bytes) else encode(m) for m in messages]
        self.sessions.messages([(handle, text) for text in texts])
        await self.sessions.finish()
        return sent[before:]

    def closed(self, handle):
        return self.plane.clients[handle].closed


@pytest.fixture(name="make_desk")
def fixture_make_desk(world, uplink):
    """A desk with other settings."""
    return lambda **options: Desk(world.plane, uplink, **options)


@pytest.fixture(name="desk")
def fixture_desk(make_desk):
    """A desk where viewers need not say who they are."""
    return make_desk()


def comment(ref="c1", text="hello", **more):
    return {"type": "comment", "ref": ref, "commentText": text, **more}


async def test_a_viewer_joins_at_once_where_it_need_not_be_known(desk):
    """With the position that it came with."""
    handle = desk.begin(resume="p")
    assert desk.rooms.joined == [(handle, "v", "p")]
    assert len(desk.sessions) == 1
    desk.sessions.closed([(handle, 1000)])
    assert len(desk.sessions) == 0


async def test_a_viewer_that_must_be_known_joins_after_auth(make_desk):
    """And gets nothing before."""
    desk = make_desk(auth_required=True)
    handle = desk.begin()
    assert desk.rooms.joined == []
    answers = await desk.say(handle, {"type": "auth", "token": "ada"})
    assert answers == []
    assert desk.rooms.joined == [(handle, "v", None)]
    assert desk.plane.identified[handle] is not None


async def test_a_viewer_that_must_be_known_resumes_where_it_was(make_desk):
    """The position of its handshake waits for its `auth`, and counts once."""
    desk = make_desk(auth_required=True)
    handle = desk.begin(resume="p")
    await desk.say(handle, {"type": "auth", "token": "ada"}, {"type": "auth", "token": "ada"})
    desk.sessions.behind(handle)
    assert desk.rooms.joined == [(handle, "v", "p"), (handle, "v", None)]


async def test_a_token_of_the_handshake_counts(make_desk):
    """No auth message is needed then."""
    desk = make_desk(auth_required=True)
    handle = desk.begin(token="ada")
    assert desk.rooms.joined == [(handle, "v", None)]
    assert handle in desk.plane.identified


async def test_auth_with_a_ref_is_acknowledged_and_may_be_renewed(desk):
    """It joins once only."""
    handle = desk.begin()
    for ref in ("a1", "a2"):
        answers = await desk.say(handle, {"type": "auth", "token": "ada", "ref": ref})
        assert answers == [{"type": "ack", "ref": ref}]
    assert len(desk.rooms.joined) == 1


async def test_a_stream_cannot_change_its_user(desk):
    """What it wrote under one name stays under it."""
    handle = desk.begin(token="ada")
    answers = await desk.say(handle, {"type": "auth", "token": "bob", "ref": "a"})
    assert answers[0]["code"] == "user_mismatch"


@pytest.mark.parametrize(("token", "code"), [("old", TOKEN_EXPIRED), ("forged", AUTH_REFUSED)])
async def test_a_refused_token_closes_where_viewers_must_be_known(make_desk, token, code):
    """Elsewhere it is an error, and the viewer goes on watching."""
    strict, open_ = make_desk(auth_required=True), make_desk()
    handle = strict.begin()
    answers = await strict.say(handle, {"type": "auth", "token": token})
    assert answers[0]["type"] == "error"
    assert strict.closed(handle) is code
    assert strict.rooms.joined == []
    handle = open_.begin()
    await open_.say(handle, {"type": "auth", "token": token})
    assert open_.closed(handle) is None


async def test_a_comment_is_acknowledged_with_its_id_and_position(desk, uplink):
    """The ref is the idempotency key, too."""
    handle = desk.begin(token="ada")
    answers = await desk.say(handle, comment(replyToCommentID="p"))
    assert answers == [
        {
            "type": "ack",
            "ref": "c1",
            "commentID": "id-1",
            "timestamp": "2024-09-26T12:34:56.000Z",
            "position": "00000000000000ff:1",
        }
    ]
    assert uplink.posted == [("ada", "hello", "p", "c1")]


async def test_reactions_are_acknowledged_with_counts_that_are_not_zero(desk, uplink):
    """To a comment, taken back, and to the video."""
    handle = desk.begin(token="ada")
    answers = await desk.say(
        handle,
        {"type": "reaction", "ref": "r1", "commentID": "c", "reactionType": "like"},
        {"type": "reaction", "ref": "r2", "commentID": "c", "reactionType": None},
        {"type": "reaction", "ref": "h1", "reactionType": "love"},
    )
    assert [answer["reactionCount"] for answer in answers] == [
        {"likes": 2, "hahas": 1},
        {"likes": 2, "hahas": 1},
        {"likes": 5},
    ]
    assert uplink.reacted == [("c", "like"), ("c", None), ("", "love")]


async def test_a_heart_cannot_be_taken_back(desk):
    """Hearts are counted, not remembered."""
    handle = desk.begin(token="ada")
    answers = await desk.say(handle, {"type": "reaction", "ref": "h", "reactionType": None})
    assert answers[0]["code"] == "unknown_reaction"


async def test_writing_needs_a_token(desk, uplink):
    """Watching does not."""
    handle = desk.begin()
    answers = await desk.say(handle, comment())
    assert (answers[0]["ref"], answers[0]["code"]) == ("c1", "token_missing")
    assert uplink.posted == []


@pytest.mark.parametrize("failure", [Refused("rate_limited", retry_after=1.5), RuntimeError("x")])
async def test_a_refusal_is_told_by_ref(desk, uplink, failure):
    """Also a failure that nobody foresaw: the sender is not left waiting."""
    uplink.failure = failure
    handle = desk.begin(token="ada")
    (answer,) = await desk.say(handle, comment("c9"))
    assert answer["ref"] == "c9"
    assert answer["code"] == getattr(failure, "code", "internal")
    assert answer.get("retry_after") == getattr(failure, "retry_after", None)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"not json", "bad_json"),
        (b"[]", "bad_field"),
        (b'{"type":"unknown"}', "bad_field"),
        (b'{"type":"comment","ref":"c1"}', "bad_field"),
        (b'{"type":"comment","ref":"c1","commentText":5}', "bad_field"),
        (b'{"type":"comment","ref":"c1","commentText":"x","more":1}', "bad_field"),
        (b'{"type":"comment","ref":"with space","commentText":"x"}', "bad_ref"),
        (b'{"type":"pong","deep":' + b"[" * 10_000, "bad_field"),
        (b'{"type":"comment","ref":"c1","commentText":"\\ud800"}', "bad_json"),
    ],
)
async def test_what_is_not_understood_is_said(desk, text, code):
    """And nothing of it is carried out; the stream goes on."""
    handle = desk.begin(token="ada")
    (answer,) = await desk.say(handle, text)
    assert (answer["type"], answer["code"]) == ("error", code)
    assert desk.closed(handle) is None


async def test_message_after_message_of_nonsense_closes(desk):
    """4502, at the tenth."""
    handle = desk.begin()
    await desk.say(handle, *[b"?"] * (STRIKES - 1))
    assert desk.closed(handle) is None
    await desk.say(handle, b"?")
    assert desk.closed(handle) is BAD_MESSAGE


async def test_a_pong_needs_no_answer(desk):
    """It was a sign of life for the plane."""
    handle = desk.begin()
    assert await desk.say(handle, {"type": "pong"}) == []


async def test_messages_above_the_rate_are_refused(make_desk, uplink):
    """Until the next second begins."""
    desk = make_desk(rate=3.0)
    handle = desk.begin(token="ada")
    for _ in range(2):
        answers = await desk.say(handle, *(comment(f"c{n}") for n in range(5)))
        assert [answer.get("code") for answer in answers].count("rate_limited") == 2
        desk.clock.advance(1)
    assert len(uplink.posted) == 6


async def test_a_viewer_has_a_bounded_number_of_messages_under_way(make_desk, uplink):
    """The log stands still: further messages are `busy`, and the first get their answer."""
    desk = make_desk(rate=1000.0)
    uplink.go.clear()
    handle = desk.begin(token="ada")
    texts = [encode(comment(f"c{n}")) for n in range(UPLINK_OF_ONE + 5)]
    desk.sessions.messages([(handle, text) for text in texts])
    client = desk.plane.clients[handle]
    assert [answer["code"] for answer in client.sent] == ["busy"] * 5
    uplink.go.set()
    await desk.sessions.finish()
    assert len(uplink.posted) == UPLINK_OF_ONE
    assert len(client.sent) == UPLINK_OF_ONE + 5


async def test_each_viewer_is_held_to_limits_of_its_own(make_desk, uplink):
    """What one sends too much is not counted against another."""
    desk = make_desk(rate=2.0)
    first, second = desk.begin(token="ada"), desk.begin(token="bob")
    answers = await desk.say(first, *(comment(f"c{n}") for n in range(3)))
    assert [answer.get("code") for answer in answers].count("rate_limited") == 1
    answers = await desk.say(second, comment("c1"), comment("c2"))
    assert [answer["type"] for answer in answers] == ["ack", "ack"]


async def test_messages_of_a_closed_viewer_are_dropped(desk, uplink):
    """The plane may have had them in the same batch."""
    handle = desk.begin(token="ada")
    desk.sessions.closed([(handle, 1000)])
    await desk.say(handle, comment())
    assert uplink.posted == []


async def test_a_room_that_cannot_be_opened_closes_with_when_to_come_back(desk):
    """4013, as the refusal says."""
    desk.rooms.later = True
    desk.rooms.failure = Refused("log_unavailable", retry_after=3.0)
    handle = desk.begin()
    await desk.sessions.finish()
    assert desk.closed(handle) is UNAVAILABLE
    assert desk.plane.notes[handle] == "retry_after=3.0"


async def test_a_room_that_fails_to_open_closes_its_viewer(desk):
    """Whatever went wrong: nobody waits for a welcome for ever."""
    desk.rooms.later = True
    desk.rooms.failure = RuntimeError("surprise")
    handle = desk.begin()
    await desk.sessions.finish()
    assert desk.closed(handle) is UNAVAILABLE


async def test_a_viewer_behind_skips_or_is_closed_as_the_settings_say(make_desk):
    """`room.slow_viewers`; it joins without a position, so it gets a snapshot."""
    skips, closes = make_desk(slow="skip"), make_desk(slow="close")
    handle = skips.begin(resume="p")
    skips.sessions.behind(handle)
    assert skips.rooms.joined == [(handle, "v", "p"), (handle, "v", None)]
    handle = closes.begin()
    closes.sessions.behind(handle)
    assert closes.closed(handle) is SLOW


async def test_stopping_drops_what_is_under_way(desk, uplink):
    """No task is left behind."""
    uplink.go.clear()
    handle = desk.begin(token="ada")
    desk.sessions.messages([(handle, encode(comment()))])
    before = asyncio.all_tasks()
    await desk.sessions.stop()
    assert asyncio.all_tasks() < before
    assert uplink.posted == []


async def test_a_stream_lasts_as_long_as_its_token_is_taken(make_desk):
    """At `exp` itself the gate would still take it: the client would come in circles."""
    desk = make_desk(leeway=30.0)
    handle = desk.begin(token="ada")
    assert desk.plane.identified[handle] == desk.uplink.authenticate("ada", "v").expires_s + 30
    handle = desk.begin()
    await desk.say(handle, {"type": "auth", "token": "bob"})
    assert desk.plane.identified[handle] == desk.uplink.authenticate("bob", "v").expires_s + 30


async def test_a_ban_closes_all_streams_of_its_user(desk):
    """And nobody else's: not those of others, not those of nobody."""
    banned = [desk.begin(token="ada"), desk.begin(token="ada", video="w")]
    others = [desk.begin(token="bob"), desk.begin()]
    await desk.ban("ada")
    assert [desk.closed(handle) for handle in banned] == [BANNED, BANNED]
    assert [desk.closed(handle) for handle in others] == [None, None]


async def test_a_ban_on_one_video_leaves_the_others(desk):
    """The same person may watch elsewhere."""
    here, elsewhere = desk.begin(token="ada"), desk.begin(token="ada", video="w")
    await desk.ban("ada", video="v")
    assert (desk.closed(here), desk.closed(elsewhere)) == (BANNED, None)


async def test_an_admins_stream_stays(desk):
    """Somebody must be able to lift bans."""
    handle = desk.begin(claims=Claims("root", Role.ADMIN, expires_s=0))
    await desk.ban("root")
    assert desk.closed(handle) is None


async def test_many_bans_at_once_leave_the_loop_to_others(desk, monkeypatch):
    """Bans that come while sessions are gone through are heeded in another round."""
    monkeypatch.setattr("groundswell.broker.session.TURN_WORK", 10)
    users = [f"u{n}" for n in range(100)]
    handles = [desk.begin(claims=Claims(user, Role.VIEWER, expires_s=0)) for user in users]
    desk.bans.standing.update((user, None) for user in users)
    desk.sessions.dismiss_banned(users[:50])
    await asyncio.sleep(0)  # let it begin
    assert desk.closed(handles[0]) is BANNED
    assert desk.closed(handles[49]) is None, "all in one turn"
    desk.sessions.dismiss_banned(users[50:])
    await desk.sessions.finish()
    assert {desk.closed(handle) for handle in handles} == {BANNED}


async def test_a_banned_token_closes_also_where_viewers_need_not_be_known(desk, uplink):
    """4503: coming back does not help."""
    uplink.banned.add("ada")
    handle = desk.begin()
    (answer,) = await desk.say(handle, {"type": "auth", "token": "ada", "ref": "a1"})
    assert (answer["ref"], answer["code"]) == ("a1", "banned")
    assert desk.closed(handle) is BANNED
