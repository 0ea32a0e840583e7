"""The form of a frame for who negotiated deflate, and what such a client sends."""

import gc

import pytest

hub_module = pytest.importorskip("groundswell.cext._hub", reason="the hub is not built here")

from groundswell.cext import frames as encoder  # noqa: E402 - they need the hub
from groundswell.cext.rfc6455 import DEFLATED_TEXT, TEXT  # noqa: E402
from tests.cext.harness.hub import NAME, ROOM, Rig, masked, numbered, words  # noqa: E402


def both(number, size=0):
    """A frame of two forms, each of which says what it is. The hub does not look inside."""
    websocket = encoder.websocket_text(b"%d:plain" % number + b"x" * size)
    deflated = encoder.websocket_text(b"%d:small" % number + b"y" * (size // 3))
    return hub_module.HubFrame(websocket, b"", bytes((deflated[0] | 0x40,)) + deflated[1:])


@pytest.fixture(name="rig")
def fixture_rig():
    """A hub of one thread; at the end no frame and no connection is left of it."""
    gc.collect()
    before = hub_module.live_frames()
    rig = Rig(send_buffer=1)  # the kernel makes it its least
    yield rig
    rig.close()
    gc.collect()
    assert hub_module.live_connections() == 0
    assert hub_module.live_frames() == before


def test_each_is_sent_the_form_that_it_reads(rig):
    """Of one frame, in one pass; the handle tells which."""
    plain, deflating = rig.connect(), rig.connect(deflate=True)
    assert [rig.hub.deflates(handle) for handle in (plain, deflating, 99)] == [False, True, False]
    assert not rig.hub.is_sse(deflating)
    for handle in (plain, deflating):
        rig.join(handle, both(100))
    rig.publish(both(0))
    clients = list(rig.clients.values())
    rig.wait(lambda: all(len(client.frames) == 2 for client in clients), *clients)
    assert clients[0].frames == [(TEXT, b"100:plain"), (TEXT, b"0:plain")]
    assert clients[1].frames == [(DEFLATED_TEXT, b"100:small"), (DEFLATED_TEXT, b"0:small")]


def test_a_frame_without_a_deflated_form_is_sent_plain(rig):
    """Answers, pings, closes, and what would not get smaller, of which there are no two copies."""
    handle = rig.connect(deflate=True)
    websocket = encoder.websocket_text(b"1:as good")
    rig.join(handle, numbered(0), hub_module.HubFrame(websocket, b"", websocket))
    rig.hub.close(handle, 4013, words(4013))
    client = rig.clients[handle]
    rig.wait(lambda: len(client.frames) == 3, client)
    assert client.frames[:2] == [(TEXT, b"0:"), (TEXT, b"1:as good")]
    assert client.frames[2] == (8, (4013).to_bytes(2, "big"))


def test_a_frame_says_which_forms_were_asked_for():
    """So that its owner makes each once."""
    frame = hub_module.HubFrame
    asked = [(made.has_sse, made.has_deflated) for made in (frame(b"w"), frame(b"w", b"s", b"d"))]
    assert asked == [(False, False), (True, True)]
    assert frame(b"w", b"", b"w").has_deflated, "it was asked for, and is as good plain"


def test_a_deflated_frame_that_is_cut_anywhere_arrives_whole(rig):
    """Nobody is moved from one form to another in the midst of a frame."""
    handle = rig.connect(deflate=True)
    client = rig.clients[handle]
    rig.join(handle, both(1000, 210_000))
    for number in range(20):
        rig.publish(both(number, 9_001 * number) if number % 2 else numbered(number, 3_001))
    while len(client.frames) < 21:
        rig.wait(lambda: client.read(997) or len(client.frames) == 21)
    assert client.numbers() == list(range(0, 20, 2))
    deflated = [payload for opcode, payload in client.frames if opcode == DEFLATED_TEXT]
    assert deflated == [
        b"%d:small" % number + b"y" * (size // 3)
        for number, size in [(1000, 210_000), *((n, 9_001 * n) for n in range(1, 20, 2))]
    ]
    assert rig.hub.counters()["partial_writes"] > 20


def test_a_rewritten_frame_is_sent_in_the_form_of_its_reader(rig):
    """Also where the frame before had no deflated form."""
    handle = rig.connect(deflate=True)
    rig.publish(numbered(0))
    rig.hub.swap_frame(0, ROOM, both(7), number=0)
    rig.hub.join(handle, index=ROOM, name=NAME, cursor=0, private=())
    client = rig.clients[handle]
    rig.wait(lambda: client.frames, client)
    assert client.frames == [(DEFLATED_TEXT, b"7:small")]


def test_deflated_messages_are_reported_with_their_mark_and_in_order(rig):
    """The hub inflates nothing: what it holds of a client is what came."""
    handle = rig.connect(deflate=True, leftover=masked(DEFLATED_TEXT, b"\xff0"))
    rig.clients[handle].sock.send(masked(TEXT, b"one") + masked(DEFLATED_TEXT, b"\xff2"))
    rig.wait(lambda: len(rig.messages) == 3)
    assert rig.messages == [(handle, b"\xff0"), (handle, b"one"), (handle, b"\xff2")]
    assert rig.deflated == [(handle, b"\xff0"), (handle, b"\xff2")]


def test_a_message_that_comes_byte_by_byte_keeps_its_mark(rig):
    """Its parser is put aside between any two reads, and others read meanwhile."""
    handle, other = rig.connect(deflate=True), rig.connect()
    first = bytearray(masked(DEFLATED_TEXT, b"\xff"))
    first[0] &= 0x7F  # not the last fragment
    for sent, octet in enumerate(bytes(first) + masked(0, b"\xfe"), 1):
        rig.clients[handle].sock.send(bytes((octet,)))
        rig.clients[other].sock.send(masked(TEXT, b"meanwhile"))
        rig.wait(lambda sent=sent: [who for who, _ in rig.messages].count(other) == sent)
    rig.wait(lambda: rig.deflated)
    assert rig.deflated == [(handle, b"\xff\xfe")]


def test_who_did_not_negotiate_may_not_deflate(rig):
    """RFC 6455 section 5.2: RSV1 means nothing there. The thread's parser serves both kinds."""
    plain, deflating = rig.connect(), rig.connect(deflate=True)
    rig.clients[deflating].sock.send(masked(DEFLATED_TEXT, b"x"))
    rig.wait(lambda: rig.deflated)
    client = rig.clients[plain]
    client.sock.send(masked(DEFLATED_TEXT, b"x"))
    rig.wait(lambda: client.frames, client)
    assert client.frames == [(8, (1002).to_bytes(2, "big"))]
    assert rig.deflated == [(deflating, b"x")]
