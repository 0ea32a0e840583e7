"""How long and at what cost every plane puts up with peers who dribble, flood or do not read."""

import errno
import select
import socket

import pytest

from groundswell.broker.plane import Variant
from groundswell.contract.close_codes import AUTH_TIMEOUT, IDLE, SLOW, UNAVAILABLE
from tests.broker.harness.hall import private

NEVER = 1e6  # seconds
HEAD_OF_1000 = b"\x81\xfe\x03\xe8" + bytes(4)  # of a text; the mask is of zeros
WITHIN = 20.0  # `stream.message_timeout`
FULL = 60  # frames of 10 KB: more than a socket takes, and all of them stay in the ring


@pytest.fixture(name="hall")
async def fixture_hall(make_hall):
    """A plane that pings nobody: only messages have deadlines."""
    return await make_hall(ping_interval=NEVER, message_timeout=WITHIN)


async def see_time(hall):
    """Wait until every thread of the plane has looked at the deadlines of this moment."""
    for _ in range(2):
        wire, _ = await hall.connect(joins=False, auth_within=0.0)
        assert (await wire.close_code())[0] == AUTH_TIMEOUT.code
        wire.close()


async def pong(wire, payload):
    wire.send(9, payload)
    assert await wire.frame() == (10, payload)


async def test_a_frame_that_dribbles_in_has_a_deadline(hall):
    """4009: no octet of it gives it more time."""
    wire, _ = await hall.connect(leftover=HEAD_OF_1000)
    hall.publish("read by now")
    await wire.message()
    for _ in range(int(WITHIN) + 1):
        wire.writer.write(b"x")
        hall.clock.advance(1)
    assert (await wire.close_code())[0] == IDLE.code


@pytest.mark.parametrize("cut", [1, 3, 5, 8])
async def test_a_head_that_does_not_go_on_has_a_deadline(hall, cut):
    """Within its first octets, its length, its masking key, and behind it."""
    wire, _ = await hall.connect(leftover=HEAD_OF_1000[:cut])
    hall.publish("read by now")
    await wire.message()
    hall.clock.advance(WITHIN + 0.1)
    assert (await wire.close_code())[0] == IDLE.code


async def test_fragments_and_pings_between_them_give_a_message_no_more_time(hall):
    """It counts from the first octet of the first fragment."""
    wire, _ = await hall.connect()
    wire.send(1, b"a", fin=False)
    for number in range(5):
        await pong(wire, b"%d" % number)
        hall.clock.advance(WITHIN / 5)
        wire.send(0, b"b", fin=False)
    hall.clock.advance(0.1)
    assert (await wire.close_code())[0] == IDLE.code


async def test_a_message_that_is_whole_in_time_has_no_deadline_any_more(hall, wait_until):
    """Nor has one that came at once."""
    wire, handle = await hall.connect(leftover=HEAD_OF_1000)
    hall.publish("read by now")
    await wire.message()
    hall.clock.advance(WITHIN - 1)
    await see_time(hall)
    wire.writer.write(b"x" * 1000)
    wire.say(b"at once")
    await wait_until(lambda: len(hall.events.texts) == 2)
    hall.clock.advance(10 * WITHIN)
    await see_time(hall)
    await pong(wire, b"still here")
    assert hall.events.texts == [(handle, b"x" * 1000), (handle, b"at once")]


async def test_each_message_has_its_own_time(hall, wait_until):
    """Also where every read ends within the next one."""
    wire, _ = await hall.connect()
    wire.writer.write(HEAD_OF_1000)
    for number in range(1, 6):
        wire.writer.write(b"x" * 1000 + HEAD_OF_1000)
        await wait_until(lambda n=number: len(hall.events.texts) == n)
        hall.clock.advance(WITHIN * 0.7)
        await see_time(hall)
    wire.writer.write(b"x" * 1000)
    await wait_until(lambda: len(hall.events.texts) == 6)
    await pong(wire, b"still here")


async def test_each_control_frame_has_its_own_time(hall):
    """They are no messages, and may be cut as well."""
    wire, _ = await hall.connect()
    ping = b"\x89\x84" + bytes(4) + b"ping"
    wire.writer.write(ping[:3])
    for _ in range(5):
        wire.writer.write(ping[3:] + ping[:3])
        assert await wire.frame() == (10, b"ping")
        hall.clock.advance(WITHIN * 0.7)
        await see_time(hall)
    wire.writer.write(ping[3:])
    assert await wire.frame() == (10, b"ping")


async def test_a_stream_of_events_has_no_message_to_be_waited_for(hall):
    """Whatever its client sends is nothing."""
    stream, handle = await hall.connect(variant=Variant.SSE)
    stream.writer.write(HEAD_OF_1000)
    hall.clock.advance(WITHIN + 1)
    await see_time(hall)
    hall.publish("still here")
    await stream.read_until(b"still here")
    assert hall.events.closes.count((handle, IDLE.code)) == 0


async def test_a_viewer_that_reads_nothing_holds_nobody_up(hall, wait_until):
    """The others get everything. After 5 s it is cut: words would find no room in its socket."""
    deaf, handle = await hall.connect_deaf()
    with deaf:
        wire, _ = await hall.connect()
        for number in range(FULL):
            hall.publish(number, size=10_000)
            assert (await wire.message())["text"] == number
        await wait_until(lambda: hall.plane.statistics().viewers_behind == 1)
        hall.clock.advance(5.1)
        await wait_until(lambda: (handle, SLOW.code) in hall.events.closes)
        assert hall.plane.statistics().refused_slow == 1
        poll = select.poll()
        poll.register(deaf, 0)  # tells of errors alone
        await wait_until(lambda: poll.poll(0))
        reset = deaf.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        assert reset == errno.ECONNRESET, "the kernel holds nothing for it any more"
    hall.publish("after")
    assert (await wire.message())["text"] == "after"


async def test_a_viewer_that_is_closed_while_it_does_not_read_is_cut(hall, wait_until):
    """It has the time of the closing handshake to take what it was sent, and the close."""
    deaf, handle = await hall.connect_deaf()
    with deaf:
        for number in range(FULL):
            hall.publish(number, size=10_000)
        await wait_until(lambda: hall.plane.statistics().viewers_behind == 1)
        hall.plane.close(handle, UNAVAILABLE)
        hall.clock.advance(3.1)
        await wait_until(lambda: hall.events.closes == [(handle, UNAVAILABLE.code)])


async def test_a_private_slot_that_overflows_closes_as_slow(hall, wait_until):
    """Answers to a viewer that does not read them are bounded, too."""
    deaf, handle = await hall.connect_deaf()
    with deaf:
        for _ in range(200):
            hall.plane.send(handle, private("x" * 10_000))
        await wait_until(lambda: hall.plane.statistics().refused_slow == 1)
        assert hall.plane.statistics().private_messages < 200


async def test_a_flood_of_messages_closes(make_hall):
    """4429, far above the limit; at the limit nothing happens."""
    hall = await make_hall(uplink_messages=5)
    wire, _ = await hall.connect()
    for _ in range(20):
        wire.send(10, b"")
    wire.send(9, b"heard")
    assert (await wire.close_code())[0] == 4429
    calm, _ = await hall.connect()
    for _ in range(19):
        calm.send(10, b"")
    calm.send(9, b"heard")
    assert await calm.frame() == (10, b"heard")
