"""What every plane must do with viewers who negotiated deflate, over real sockets."""

import asyncio
import zlib

import pytest

from groundswell.broker import compression
from groundswell.broker.backlog import Entry
from groundswell.broker.frames import UpdateFrame
from groundswell.broker.plane import Variant
from groundswell.cext.rfc6455 import DEFLATED_TEXT, RSV1
from groundswell.contract.close_codes import BY_CODE, UNAVAILABLE
from groundswell.contract.events import EventKind
from tests.broker.harness.hall import private

LIMIT = 16 * 1024  # stream.message_bytes
LARGE = 1000  # bytes of a frame that are worth it


def deflate(text):
    """Deflate a message as a client does (RFC 7692 section 7.2.1)."""
    deflater = zlib.compressobj(wbits=-15)
    data = deflater.compress(text) + deflater.flush(zlib.Z_SYNC_FLUSH)
    return data.removesuffix(b"\x00\x00\xff\xff")


@pytest.fixture(name="deflated")
def fixture_deflated(monkeypatch):
    """Every payload that was deflated."""
    payloads = []
    deflated_frame = compression.deflated_frame

    def count(payload):
        payloads.append(payload)
        return deflated_frame(payload)

    monkeypatch.setattr(compression, "deflated_frame", count)
    return payloads


async def test_a_frame_is_deflated_once_for_all_who_asked(hall, deflated):
    """Beside viewers who did not, and who read something else; each gets the same message."""
    wires = [(await hall.connect(deflate=number % 3 > 0))[0] for number in range(9)]
    stream, _ = await hall.connect(variant=Variant.SSE)
    for number in range(3):
        hall.publish(number, size=LARGE)
    for wire in wires:
        assert [(await wire.message())["text"] for _ in range(3)] == [0, 1, 2]
    assert b"id: e:3\n" in await stream.read_until(b"e:3\n")
    assert [wire.deflated for wire in wires] == [0, 3, 3] * 3
    assert deflated == [hall.ring[number].payload for number in range(3)]


async def test_nothing_is_deflated_for_a_room_where_nobody_asked(hall, deflated):
    """Also where somebody in another room did."""
    _, elsewhere = await hall.connect(deflate=True, joins=False)
    wire, _ = await hall.connect()
    hall.publish("hello", size=LARGE)
    assert (await wire.message())["text"] == "hello"
    assert deflated == []
    hall.plane.close(elsewhere, UNAVAILABLE)


async def test_what_would_not_be_smaller_is_sent_plain(hall):
    """A few numbers; the mark is on each message for itself."""
    wire, _ = await hall.connect(deflate=True)
    hall.publish("small")
    hall.publish("large", size=LARGE)
    hall.publish("small")
    assert [(await wire.message())["text"] for _ in range(3)] == ["small", "large", "small"]
    assert (wire.frames, wire.deflated) == (3, 1)


async def test_what_a_join_brings_is_deflated_once_too(hall, deflated):
    """A welcome is the largest of all, and shared."""
    hall.publish("in the ring", size=LARGE)
    welcome = private("welcome" * LARGE)
    for deflates in (False, True, True):
        wire, handle = await hall.connect(deflate=deflates, joins=False)
        hall.audience.join(handle, 0, [welcome])
        assert (await wire.message())["text"] == "welcome" * LARGE
        assert (await wire.message())["text"] == "in the ring"
        assert wire.deflated >= deflates
    assert deflated.count(welcome.payload) == 1


async def test_answers_pings_and_closes_reach_who_deflates(hall):
    """They are short, and of one viewer alone."""
    wire, handle = await hall.connect(deflate=True)
    hall.clock.advance(26)
    assert await wire.frame() == (1, b'{"type":"ping","position":"e:0"}')
    assert await wire.frame() == (9, b"")
    wire.send(9, b"are you there")
    assert await wire.frame() == (10, b"are you there")
    hall.plane.send(handle, private("ack"))
    assert (await wire.message())["text"] == "ack"
    hall.plane.close(handle, UNAVAILABLE)
    assert (await wire.close_code())[0] == UNAVAILABLE.code
    assert wire.deflated == 0


async def test_a_deleted_comment_is_not_in_the_deflated_frame_either(hall):
    """Who joins later at an old cursor is not sent its text."""
    first, _ = await hall.connect(deflate=True)
    text = b'{"commentText":"secret%b"}' % (b"!" * LARGE)
    secret = Entry(0, 0, EventKind.COMMENT, "c1", None, text, shown=True)
    other = Entry(
        1, 0, EventKind.COMMENT, "c2", None, text.replace(b"secret", b"known"), shown=True
    )
    hall.ring.append(UpdateFrame("e:1", [secret, other]), hall.clock.mono)
    hall.audience.publish()
    assert len((await first.message())["comments"]) == 2
    hall.ring.redact("c1")
    later, handle = await hall.connect(deflate=True, joins=False)
    hall.audience.join(handle, 0, ())
    (comment,) = (await later.message())["comments"]
    assert comment["commentText"].startswith("known")
    assert (first.deflated, later.deflated) == (1, 1)


async def test_a_viewer_that_does_not_read_catches_up_with_deflated_frames(hall, wait_until):
    """Cut anywhere, in order, whole."""
    deaf, _ = await hall.connect_deaf(deflate=True)
    for number in range(15):
        # Noise in hexadecimal digits: half its size is left, so that its socket fills.
        noise = "".join(f"{number * 7919 * i * i % 4093:03x}" for i in range(20_000))
        hall.publish([number, noise])
    await wait_until(lambda: hall.plane.statistics().partial_writes > 0)
    assert hall.ring.first == 0, "it can have them all"
    wire = type(await hall._open_wire(hall.port))(*await asyncio.open_connection(sock=deaf))
    assert [(await wire.message())["text"][0] for _ in range(15)] == list(range(15))
    assert wire.deflated == 15
    wire.close()


async def test_deflated_messages_come_in_order_with_plain_ones(hall, wait_until):
    """Clean text, whichever way it came."""
    wire, handle = await hall.connect(deflate=True)
    plain, other = await hall.connect()
    wire.say(b"one")
    wire.send(DEFLATED_TEXT, deflate("zw\u00f6lf".encode()))
    data = deflate(b"three")
    wire.send(DEFLATED_TEXT, data[:3], fin=False)
    wire.send(0, data[3:])
    wire.say(b"four")
    await wait_until(lambda: len(hall.events.texts) == 4)
    plain.say(b"five")
    await wait_until(lambda: len(hall.events.texts) == 5)
    texts = [b"one", "zw\u00f6lf".encode(), b"three", b"four"]
    assert hall.events.texts == [*((handle, text) for text in texts), (other, b"five")]


async def test_a_deflated_message_behind_the_handshake_is_not_lost(hall, wait_until):
    """A client may send before it has read the answer, as it has made the offer."""
    data = deflate(b"hi")
    frame = bytes((0x80 | DEFLATED_TEXT, 0x80 | len(data))) + bytes(4) + data
    _, handle = await hall.connect(joins=False, deflate=True, leftover=frame)
    await wait_until(lambda: hall.events.texts == [(handle, b"hi")])


@pytest.mark.parametrize(
    ("code", "opcode", "payload"),
    [
        pytest.param(1002, DEFLATED_TEXT, b"\xff\xff\xff", id="not deflated"),
        pytest.param(1002, DEFLATED_TEXT, b"", id="nothing at all"),
        pytest.param(1002, DEFLATED_TEXT, deflate(b"whole")[:-2], id="half a message"),
        pytest.param(1002, RSV1 | 9, b"", id="a deflated ping"),
        pytest.param(1003, RSV1 | 2, deflate(b"x"), id="binary"),
        pytest.param(1007, DEFLATED_TEXT, deflate(b"\xff"), id="not UTF-8"),
        pytest.param(1009, DEFLATED_TEXT, deflate(b"x" * (LIMIT + 1)), id="a byte too much"),
        pytest.param(1009, DEFLATED_TEXT, b"x" * (LIMIT + 1), id="too much as it comes"),
    ],
)
async def test_a_message_that_cannot_be_inflated_closes(hall, wait_until, code, opcode, payload):
    """What came before it is passed on, what comes behind it is not."""
    wire, handle = await hall.connect(deflate=True)
    wire.send(DEFLATED_TEXT, deflate(b"before"))
    wire.send(opcode, payload)
    wire.send(DEFLATED_TEXT, deflate(b"behind"))
    wire.say(b"behind")
    assert await wire.close_code() == (code, BY_CODE[code].reason)
    wire.close()
    await wait_until(lambda: hall.events.closes == [(handle, code)])
    assert hall.events.texts == [(handle, b"before")]


async def test_who_did_not_negotiate_may_not_deflate(hall):
    """RFC 6455 section 5.2."""
    wire, _ = await hall.connect()
    wire.send(DEFLATED_TEXT, deflate(b"hello"))
    assert (await wire.close_code())[0] == 1002
