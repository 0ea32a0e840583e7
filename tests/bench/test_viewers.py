"""The viewer driver counts exactly what a server sent, however it was cut."""

import json
import time

import pytest

from groundswell.bench.native_tools import ToolFailed
from groundswell.bench.process import Process
from groundswell.bench.traffic import Viewers, ViewersSaw

PING = b"\x89\x00"
LATE = 0.25  # seconds by which the stamps of these servers are in the past


def frame(payload: bytes, *, first: int = 0x81) -> bytes:
    """Return a server's frame with the shortest length there is."""
    size = len(payload)
    if size < 126:
        return bytes([first, size]) + payload
    if size < 65536:
        return bytes([first, 126]) + size.to_bytes(2, "big") + payload
    return bytes([first, 127]) + size.to_bytes(8, "big") + payload


def update(*, comments: int, padding: int = 0) -> bytes:
    """Return an update frame with comments sent LATE seconds ago."""
    stamp = time.time_ns() - int(LATE * 1e9)
    texts = [{"commentText": f"t={stamp};" + "x" * padding} for _ in range(comments)]
    return frame(json.dumps({"type": "update", "comments": texts}).encode())


WELCOME = frame(b'{"type":"welcome","comments":[{"commentText":"t=1700000000000000000;"}]}')


def watch(tools, server, *, viewers: int, every: int) -> ViewersSaw:
    """Let the driver watch until the server has nothing more to say."""
    argv = [tools.viewers, "--port", server.port, "--path", "/live/v/comments/stream"]
    argv += ["--viewers", viewers, "--every", every, "--seconds", 20, "--sources", 3]
    argv += ["--pong-seconds", 0]  # answers only
    with Process(argv) as process:
        assert process.read_line(within=20) == f"ready {viewers}"
        server.wait_served()
        return Viewers(process).finish()


def test_sampled_viewers_count_every_frame_of_a_stream_cut_anywhere(tools, serving):
    """All three forms of length, control frames between, in pieces of 1 to 700 bytes."""
    stream = WELCOME + update(comments=1) + PING + update(comments=3) + update(comments=400)
    stream += update(comments=1, padding=70_000) + frame(b'{"type":"ping"}') + PING
    answers = []

    def serve(connection):
        response = connection.upgrade_response()
        connection.send(response + stream[:5])  # the first frame begins in the response's segment
        at, size = 5, 1
        while at < len(stream):
            connection.send(stream[at : at + size])
            at, size = at + size, size % 700 + 7
        answers.append(connection.read_to_end())

    saw = watch(tools, serving(serve), viewers=1, every=1)
    assert (saw.messages, saw.comments, saw.welcomes) == (6, 405, 1)
    assert (saw.pings, saw.errors, saw.closed) == (2, 0, 1)
    assert saw.bytes == saw.sampled_bytes == len(stream)
    masked_pong = b"\x8a\x80\x01\x02\x03\x04"
    assert answers == [masked_pong * 2]


def test_latency_is_counted_from_the_stamp_in_the_text(tools, serving):
    """A comment sent LATE seconds ago took at least that long, and not much longer."""

    def serve(connection):
        connection.send(connection.upgrade_response() + WELCOME + update(comments=10))
        connection.read_to_end()

    saw = watch(tools, serving(serve), viewers=2, every=1)
    assert saw.latency_ms is not None
    assert LATE * 1000 <= saw.latency_ms.p50 <= saw.latency_ms.p99 <= saw.latency_ms.max
    assert saw.latency_ms.max < 20 * LATE * 1000


def test_bytes_of_all_viewers_are_counted_though_few_are_parsed(tools, serving):
    """Bytes that the kernel throws away count like those that are read."""
    stream = b"".join(update(comments=20, padding=500) for _ in range(40))

    def serve(connection):
        connection.send(connection.upgrade_response() + stream[:100])
        connection.send(stream[100:])
        connection.read_to_end()

    saw = watch(tools, serving(serve), viewers=25, every=10)
    assert (saw.connected, saw.sampled, saw.comments) == (25, 3, 3 * 800)
    assert saw.bytes == 25 * len(stream)
    assert (saw.viewer_bytes_min, saw.viewer_bytes_max) == (len(stream), len(stream))


def test_a_server_that_drops_one_percent_is_exposed_by_the_counts(tools, serving):
    """Every hundredth update goes missing for every viewer: 99 of 100 comments are counted."""
    sent = [update(comments=1) for _ in range(200)]

    def serve(connection):
        dropping = [one for number, one in enumerate(sent) if number % 100 != connection.number]
        connection.send(connection.upgrade_response() + b"".join(dropping))
        connection.read_to_end()

    saw = watch(tools, serving(serve), viewers=4, every=1)
    assert saw.comments == 4 * 198


def test_one_viewer_that_gets_less_shows_even_if_it_is_not_sampled(tools, serving):
    """The least bytes of a viewer differ from the most."""
    one = update(comments=1)

    def serve(connection):
        connection.send(connection.upgrade_response() + one * (9 if connection.number == 3 else 10))
        connection.read_to_end()

    saw = watch(tools, serving(serve), viewers=5, every=5)
    assert (saw.viewer_bytes_min, saw.viewer_bytes_max) == (9 * len(one), 10 * len(one))


@pytest.mark.parametrize(
    "wrong",
    [frame(b"x", first=0xC1), frame(b"x", first=0x01), b"\x81\x81\x00\x00\x00\x00x"],
    ids=["compressed", "fragment", "masked"],
)
def test_a_frame_that_no_server_may_send_is_an_error_and_not_a_message(tools, serving, wrong):
    """The viewer leaves, and the report says that there was an error."""

    def serve(connection):
        connection.send(connection.upgrade_response() + update(comments=1) + wrong)
        connection.read_to_end()

    saw = watch(tools, serving(serve), viewers=1, every=1)
    assert (saw.messages, saw.errors, saw.closed) == (1, 1, 1)


def test_every_viewer_shows_a_sign_of_life_by_itself(tools, serving):
    """Viewers that are not parsed answer no ping, so all send pongs unasked."""
    got = {}

    def serve(connection):
        connection.send(connection.upgrade_response())
        got[connection.number] = connection.read(6)

    server = serving(serve)
    argv = [tools.viewers, "--port", server.port, "--viewers", 3, "--pong-seconds", 0.1]
    with Process(argv) as process:
        process.read_line(within=20)
        server.wait_served()
    assert got == dict.fromkeys(range(3), b"\x8a\x80\x01\x02\x03\x04")


def test_a_refused_viewer_ends_the_run_with_the_servers_words(tools, serving):
    """A load test with fewer viewers than asked for would be a wrong figure."""

    def serve(connection):
        connection.read_head()
        connection.send(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")

    argv = [tools.viewers, "--port", serving(serve).port]
    with Process(argv) as process, pytest.raises(ToolFailed, match=r"refused: HTTP/1\.1 503"):
        process.read_line(within=20)


def test_a_viewer_has_joined_when_its_first_frame_is_whole(tools, serving):
    """However it is cut: `ready` comes behind the last byte, and the time says how long it took."""
    welcome = frame(WELCOME + b"x" * 60_000)

    def serve(connection):
        connection.send(connection.upgrade_response() + welcome[:1])
        time.sleep(0.05)  # the head comes in two pieces
        connection.send(welcome[1:30_000])
        time.sleep(0.05)
        connection.send(welcome[30_000:] + update(comments=1))
        connection.read(1)  # nobody is closed before all have joined

    argv = [tools.viewers, "--port", serving(serve).port, "--viewers", 4, "--every", 2]
    with Process([*argv, "--welcome", "yes"]) as process:
        assert process.read_line(within=20) == "ready 4"
        saw = Viewers(process).finish()
    assert saw.join_ms is not None
    assert saw.join_ms.p50 >= 100
    assert 0.1 <= saw.join_seconds < 20
    assert saw.viewer_bytes_min >= len(welcome)


def test_a_viewer_that_is_closed_before_its_welcome_ends_the_run(tools, serving):
    """A crowd with fewer viewers than asked for would be a wrong figure."""

    def serve(connection):
        connection.send(connection.upgrade_response() + frame(b"x" * 1000)[:500])
        connection.read_to_end()

    argv = [tools.viewers, "--port", serving(serve).port, "--welcome", "yes"]
    with Process(argv) as process, pytest.raises(ToolFailed, match="closed before all had joined"):
        process.read_line(within=20)


def test_each_comment_has_its_own_count_median_and_last_viewer(tools, serving):
    """Two comments, of which one viewer of three never gets the second."""
    first, second = update(comments=1), update(comments=1)

    def serve(connection):
        connection.send(connection.upgrade_response() + first)
        if connection.number != 1:
            connection.send(second)
        connection.read_to_end()

    server = serving(serve)
    argv = [tools.viewers, "--port", server.port, "--viewers", 3, "--every", 1, "--each", "yes"]
    with Process(argv) as process:
        process.read_line(within=20)
        server.wait_served()
        saw = Viewers(process).finish()
    assert sum(count for count, _, _ in saw.each_ms) == saw.comments == 5
    assert all(LATE * 1000 <= median <= last for _, median, last in saw.each_ms)
