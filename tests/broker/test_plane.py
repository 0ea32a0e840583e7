"""What every plane must do, over real sockets. One joins by a line in `harness/planes.py`."""

import asyncio
import time

import pytest

from groundswell.broker import asyncio_plane
from groundswell.broker.backlog import Entry
from groundswell.broker.frames import UpdateFrame
from groundswell.broker.plane import PLACES, Variant
from groundswell.broker.ring import Ring
from groundswell.contract.close_codes import BY_CODE, NORMAL, SLOW, UNAVAILABLE
from groundswell.contract.events import EventKind
from tests.broker.harness.hall import private


async def test_a_viewer_gets_its_own_frames_first_and_then_the_ring(hall):
    """From its cursor on, once each and in order."""
    hall.publish("before")
    wire, _ = await hall.connect(private=[private("welcome"), private("missed")])
    hall.publish("one")
    hall.publish("two")
    texts = [(await wire.message())["text"] for _ in range(4)]
    assert texts == ["welcome", "missed", "one", "two"]


async def test_a_cursor_in_the_past_catches_up(hall):
    """The frames that the ring still has."""
    hall.publish("zero")
    hall.publish("one")
    wire, handle = await hall.connect(joins=False)
    hall.audience.join(handle, 1, ())
    assert (await wire.message())["text"] == "one"


async def test_a_viewer_of_events_that_comes_later_gets_them_as_such(hall):
    """Frames that were made for WebSockets alone get their other form."""
    wire, _ = await hall.connect()
    hall.publish("zero")
    hall.publish("one")
    stream, handle = await hall.connect(variant=Variant.SSE, joins=False)
    hall.audience.join(handle, 1, ())
    hall.publish("two")
    text = await stream.read_until(b"e:3\n")
    assert text.count(b"event: update") == 2
    assert b"id: e:2\ndata: " in text
    assert [(await wire.message())["text"] for _ in range(3)] == ["zero", "one", "two"]


async def test_a_deleted_comment_is_cut_for_who_has_not_begun_its_frame(hall):
    """Who joins later at an old cursor is not sent its text."""
    first, _ = await hall.connect()
    secret = Entry(0, 0, EventKind.COMMENT, "c1", None, b'{"commentText":"secret"}', shown=True)
    hall.ring.append(UpdateFrame("e:1", [secret]), hall.clock.mono)
    hall.audience.publish()
    assert (await first.message())["comments"] == [{"commentText": "secret"}]
    hall.ring.redact("c1")
    later, handle = await hall.connect(joins=False)
    hall.audience.join(handle, 0, ())
    assert "comments" not in await later.message()


async def test_every_viewer_gets_every_frame_and_the_pass_is_reported(hall, wait_until):
    """WebSocket and SSE side by side."""
    wires = [(await hall.connect())[0] for _ in range(5)]
    stream, _ = await hall.connect(variant=Variant.SSE)
    hall.publish("hello")
    for wire in wires:
        assert (await wire.message())["text"] == "hello"
    assert b"event: update\nid: e:1\ndata: " in await stream.read_until(b"\n\n")
    await wait_until(lambda: len(hall.passes) == 1)
    assert len(hall.audience) == 6
    statistics = hall.plane.statistics()
    assert (statistics.viewers, statistics.passes, statistics.frames_written) == (6, 1, 6)
    assert statistics.bytes_written > 0


async def test_a_viewer_moves_from_one_ring_to_another(hall):
    """It is in one audience at a time."""
    wire, handle = await hall.connect()
    ring = Ring(seconds=5.0, limit_bytes=1 << 20)
    other = hall.plane.audience(ring, lambda seconds: None)
    other.join(handle, 0, ())
    assert (len(hall.audience), len(other)) == (0, 1)
    hall.publish("not for it")
    ring.append(private("for it"), 0.0)
    other.publish()
    assert (await wire.message())["text"] == "for it"


async def test_an_unknown_viewer_cannot_join(hall):
    """It closed while its room was being opened."""
    hall.audience.join(99, 0, ())
    assert len(hall.audience) == 0


async def test_a_viewer_that_is_closing_joins_nothing_and_disturbs_nobody(hall, wait_until):
    """Its room was still being opened; what follows must reach the others."""
    wire, handle = await hall.connect(joins=False)
    other, _ = await hall.connect()
    hall.plane.close(handle, UNAVAILABLE)
    hall.audience.join(handle, hall.ring.end, [private("too late")])
    hall.publish("one")
    hall.publish("two")
    assert [(await other.message())["text"] for _ in range(2)] == ["one", "two"]
    await wait_until(lambda: hall.passes)
    assert await wire.frame() == (8, (4013).to_bytes(2, "big") + b"try again later")


async def test_a_handle_is_never_used_again_but_its_place_is(hall, wait_until):
    """So that an owner may keep what it knows of connections in arrays."""
    wire, old = await hall.connect()
    _, beside = await hall.connect()
    wire.writer.transport.abort()
    await wait_until(lambda: hall.events.closes)
    _, new = await hall.connect()
    assert new not in (old, beside)
    assert new % PLACES == old % PLACES != beside % PLACES


async def test_a_send_reaches_one_viewer(hall):
    """And is counted apart from the room's frames."""
    wire, handle = await hall.connect()
    other, _ = await hall.connect()
    hall.plane.send(handle, private("ack"))
    hall.plane.send(99, private("nobody"))
    hall.publish("all")
    assert (await wire.message())["text"] == "ack"
    assert (await other.message())["text"] == "all"
    assert hall.plane.statistics().private_messages == 1


async def test_messages_come_in_order_with_their_viewer(hall, wait_until):
    """Also those that were cut anywhere on the way."""
    wire, handle = await hall.connect(joins=False)
    wire.say(b"one")
    wire.send(1, b"tw", fin=False)
    wire.send(0, b"o")
    await wait_until(lambda: len(hall.events.texts) == 2)
    assert hall.events.texts == [(handle, b"one"), (handle, b"two")]
    assert hall.plane.statistics().client_messages == 2


async def test_bytes_read_behind_the_handshake_are_not_lost(hall, wait_until):
    """`begin` was called before, so the message has an owner."""
    _, handle = await hall.connect(joins=False, leftover=b"\x81\x82\x00\x00\x00\x00hi")
    await wait_until(lambda: hall.events.texts == [(handle, b"hi")])


async def test_a_clients_ping_is_answered(hall):
    """RFC 6455 section 5.5.3: with the same payload."""
    wire, _ = await hall.connect()
    wire.send(9, b"are you there")
    assert await wire.frame() == (10, b"are you there")


@pytest.mark.parametrize(
    ("code", "opcode", "payload", "masked"),
    [
        (1002, 1, b"x", False),
        (1002, 3, b"x", True),
        (1003, 2, b"x", True),
        (1007, 1, b"\xff", True),
        (1009, 1, b"x" * 1025, True),
    ],
)
async def test_a_client_that_breaks_the_protocol_is_told_how(
    make_hall, wait_until, code, opcode, payload, masked
):
    """With the code of RFC 6455 section 7.4.1, and nothing of it is passed on."""
    hall = await make_hall(message_bytes=1024)
    wire, handle = await hall.connect()
    wire.send(opcode, payload, masked=masked)
    assert await wire.close_code() == (code, BY_CODE[code].reason)
    wire.close()
    await wait_until(lambda: hall.events.closes == [(handle, code)])
    assert hall.events.texts == []


async def test_a_clients_close_is_answered_in_kind(hall, wait_until):
    """RFC 6455 section 5.5.1; the audience forgets it."""
    wire, handle = await hall.connect()
    wire.send(8, (1001).to_bytes(2, "big"))
    assert (await wire.close_code())[0] == 1001
    wire.close()
    await wait_until(lambda: hall.events.closes == [(handle, 1001)])
    assert len(hall.audience) == 0
    assert hall.plane.statistics().viewers == 0


async def test_a_close_without_a_code_is_answered_with_normal(hall):
    """So every close in the metrics has one."""
    wire, _ = await hall.connect()
    wire.send(8, b"")
    assert (await wire.close_code())[0] == NORMAL.code


async def test_a_connection_that_breaks_is_reported_without_a_code(hall, wait_until):
    """Neither side said why."""
    wire, handle = await hall.connect()
    wire.writer.transport.abort()
    await wait_until(lambda: hall.events.closes == [(handle, 0)])
    assert len(hall.audience) == 0


async def test_a_close_carries_reason_and_note_and_happens_once(hall, wait_until):
    """A second close and later frames are not sent."""
    wire, handle = await hall.connect()
    hall.plane.close(handle, UNAVAILABLE, "retry_after=2.0")
    hall.plane.close(handle, SLOW)
    hall.publish("too late")
    assert await wire.close_code() == (4013, "try again later; retry_after=2.0")
    assert await wire.reader.read() == b""
    wire.close()
    await wait_until(lambda: hall.events.closes == [(handle, 4013)])
    hall.plane.close(handle, SLOW)


async def test_a_long_note_is_cut_to_what_a_close_frame_carries(hall):
    """RFC 6455 section 5.5: 125 bytes with the code."""
    wire, handle = await hall.connect()
    hall.plane.close(handle, UNAVAILABLE, "x" * 500)
    _, reason = await wire.close_code()
    assert len(reason) == 123


async def test_server_sent_events_are_told_why_they_end(hall):
    """They have no close frame."""
    stream, handle = await hall.connect(variant=Variant.SSE)
    hall.plane.close(handle, UNAVAILABLE)
    text = await stream.read_until(b"\n\n")
    assert text == b'event: closed\ndata: {"code":4013,"reason":"try again later"}\n\n'


async def test_a_peer_that_does_not_answer_the_close_is_cut(hall, wait_until):
    """It had its time for the closing handshake."""
    _, handle = await hall.connect()
    hall.plane.close(handle, UNAVAILABLE)
    hall.clock.advance(10)
    await wait_until(lambda: hall.events.closes == [(handle, 4013)])


async def test_all_viewers_of_a_ring_can_be_dismissed(hall):
    """Those of other rings stay."""
    ring = Ring(seconds=5.0, limit_bytes=1 << 20)
    other = hall.plane.audience(ring, lambda seconds: None)
    stays, handle = await hall.connect()
    other.join(handle, 0, ())
    goes = [(await hall.connect())[0] for _ in range(3)]
    hall.audience.dismiss(UNAVAILABLE)
    assert [(await wire.close_code())[0] for wire in goes] == [4013] * 3
    hall.plane.send(handle, private("still here"))
    assert (await stays.message())["text"] == "still here"


async def test_a_large_ring_is_dismissed_and_forgotten_at_once(hall, monkeypatch):
    """Its viewers are told some at a time, although it is dissolved by then."""
    monkeypatch.setattr(asyncio_plane, "SLICE_VIEWERS", 2)
    wires = [(await hall.connect())[0] for _ in range(9)]
    hall.audience.dismiss(UNAVAILABLE)
    hall.audience.dissolve()
    for wire in wires:
        assert (await wire.close_code())[0] == 4013


async def test_a_ping_carries_the_position_to_viewers_at_the_end(hall):
    """So a quiet room's viewers stay resumable; an RFC ping follows the message."""
    wire, _ = await hall.connect()
    hall.clock.advance(26)
    assert await wire.frame() == (1, b'{"type":"ping","position":"e:0"}')
    assert await wire.frame() == (9, b"")


async def test_a_viewer_that_has_not_joined_is_not_pinged(hall):
    """There is no position that it could be told."""
    waiting, _ = await hall.connect(joins=False)
    joined, _ = await hall.connect()
    hall.clock.advance(26)
    await joined.frame()
    hall.clock.advance(26)
    joined.say({"type": "pong"})
    await joined.frame()
    assert not waiting.reader._buffer


async def test_a_viewer_without_a_sign_of_life_is_closed(hall):
    """4009: the pong did not come in time."""
    wire, _ = await hall.connect()
    hall.clock.advance(26)
    await wire.frame()
    hall.clock.advance(8.1)
    assert (await wire.close_code())[0] == 4009


@pytest.mark.parametrize("opcode", [1, 10])
async def test_any_frame_is_a_sign_of_life(hall, wait_until, opcode):
    """Our `pong` or an RFC 6455 pong."""
    wire, _ = await hall.connect()
    hall.clock.advance(26)
    await wire.frame()
    wire.send(opcode, b'{"type":"pong"}')
    wire.send(9, b"heard")
    assert await wire.frame() == (9, b"")
    assert await wire.frame() == (10, b"heard")
    hall.clock.advance(20)
    hall.publish("still here")
    assert (await wire.message())["text"] == "still here"


async def test_pings_that_come_faster_than_pongs_may_do_not_postpone_the_end(make_hall):
    """The oldest unanswered ping counts."""
    hall = await make_hall(ping_interval=1.0, pong_timeout=8.0)
    wire, _ = await hall.connect()
    for _ in range(5):
        hall.clock.advance(2)
        opcode, _ = await wire.frame()
        if opcode == 8:
            break
        await wire.frame()
    else:
        assert (await wire.close_code())[0] == 4009


async def test_a_viewer_that_must_say_who_it_is_has_a_deadline(hall):
    """4500, and nothing at all before it."""
    wire, _ = await hall.connect(joins=False, auth_within=10.0)
    hall.clock.advance(10)
    assert await wire.frame() == (8, (4500).to_bytes(2, "big") + b"no auth message came")


async def test_a_viewer_that_said_who_it_is_stays(hall):
    """Until its token expires."""
    wire, handle = await hall.connect(auth_within=10.0)
    hall.plane.identify(handle, None)
    hall.clock.advance(11)
    hall.publish("hello")
    assert (await wire.message())["text"] == "hello"


async def test_an_expired_token_closes_within_two_seconds(hall):
    """4401: come back with a fresh one. A renewal counts from then on."""
    renewed, first = await hall.connect()
    expired, second = await hall.connect()
    for handle in (first, second):
        hall.plane.identify(handle, hall.clock.wall // 1000 + 5)
    hall.plane.identify(first, hall.clock.wall // 1000 + 60)
    hall.clock.advance(5)
    began = time.monotonic()
    assert (await expired.close_code())[0] == 4401
    assert time.monotonic() - began < 2
    hall.publish("hello")
    assert (await renewed.message())["text"] == "hello"


async def test_it_is_measured_how_far_viewers_are_behind(hall, wait_until):
    """How many, and by how many frames at most; nobody is once they have gone."""
    deaf = [(await hall.connect_deaf())[0] for _ in range(2)]
    far_behind = 0

    def all_are_behind():
        nonlocal far_behind
        hall.publish("", size=20_000)
        statistics = hall.plane.statistics()
        far_behind = max(far_behind, statistics.lag_frames)
        return statistics.viewers_behind == 2 and far_behind >= 10

    assert hall.plane.statistics().viewers_behind == 0
    await wait_until(all_are_behind)
    assert far_behind <= hall.ring.end
    for sock in deaf:
        sock.close()
    await wait_until(lambda: len(hall.events.closes) == 2)

    def nobody_is():
        statistics = hall.plane.statistics()
        return (statistics.viewers_behind, statistics.lag_frames) == (0, 0)

    await wait_until(nobody_is)


async def test_a_viewer_that_fell_off_the_ring_is_reported_and_rejoins(hall, wait_until):
    """When it reads again; nothing between is sent to it."""
    deaf, handle = await hall.connect_deaf()
    hall.events.on_behind = lambda who: hall.audience.join(
        who, hall.ring.end, [private("welcome again")]
    )
    for number in range(300):
        hall.publish(number, size=10_000)
    assert hall.ring.first > 0
    wire = type(await hall._open_wire(hall.port))(*await asyncio.open_connection(sock=deaf))
    texts = []
    while not texts or texts[-1] != "welcome again":
        texts.append((await wire.message())["text"])
    assert texts[:-1] == list(range(len(texts) - 1))
    assert len(texts) < 300
    assert hall.events.behinds == [handle]
    assert hall.plane.statistics().skips == 1
    hall.publish("live")
    assert (await wire.message())["text"] == "live"
    wire.close()


async def test_draining_tells_everybody_to_come_back_spread_over_time(hall):
    """4000 with when to come back; it returns when all have gone."""
    wires = [(await hall.connect())[0] for _ in range(10)]
    closed_at = []

    async def wait_closed(wire):
        code, reason = await wire.close_code()
        closed_at.append(time.monotonic())
        wire.close()
        return code, reason

    waiting = [asyncio.create_task(wait_closed(wire)) for wire in wires]
    await hall.plane.drain(0.3)
    answers = await asyncio.gather(*waiting)
    assert answers == [(4000, "server is restarting; retry_after=0.5")] * 10
    assert max(closed_at) - min(closed_at) > 0.1
    assert hall.plane.statistics().viewers == 0
    assert len(hall.events.closes) == 10


async def test_draining_without_viewers_returns(hall):
    """Nothing to spread, nothing to wait for."""
    await hall.plane.drain(60.0)


async def test_stopping_cuts_who_is_left(hall, wait_until):
    """After the grace of a drain nobody is waited for."""
    wire, handle = await hall.connect()
    await hall.plane.stop()
    await wait_until(lambda: hall.events.closes == [(handle, 0)])
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await wire.frame()
