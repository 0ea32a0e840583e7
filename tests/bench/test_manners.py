"""Viewers that do not just read: in rooms, by SSE, slow, deaf, flapping, cut and back."""

import contextlib
import json
import re
import threading
import time

import pytest

from groundswell.bench.process import Process
from groundswell.bench.traffic import Viewers, ViewersSaw

PATH = "/live/v/comments/stream"
MUCH = 64 << 20  # bytes: more than both ends' kernels hold for one socket


def frame(payload: object) -> bytes:
    """Return a text frame of up to 65,535 bytes."""
    body = json.dumps(payload, separators=(",", ":")).encode()
    return b"\x81\x7e" + len(body).to_bytes(2, "big") + body


def comment(number: int, *, answered: int = 0) -> dict[str, str]:
    """Return a comment of the bench."""
    return {"commentText": f"t={time.time_ns()};n={number};a={answered};"}


def update(*comments: dict[str, str], position: str = "9f:1") -> bytes:
    """Return an update of them."""
    return frame({"type": "update", "position": position, "comments": comments})


def viewers(tools, server, **options) -> list[object]:
    """Return the command line of viewers, all of them sampled."""
    argv = [tools.viewers, "--port", server.port, "--path", PATH, "--every", 1]
    for name, value in {"pong_seconds": 0, **options}.items():
        argv += [f"--{name.replace('_', '-')}", value]
    return argv


def watch(tools, server, **options) -> ViewersSaw:
    """Let viewers watch until the server has nothing more to say."""
    with Process(viewers(tools, server, **options)) as process:
        process.read_line(within=20)
        server.wait_served()
        return Viewers(process).finish()


def test_what_comes_twice_or_late_is_told_apart_from_what_comes_side_by_side(tools, serving):
    """Out of order is only what the bench had seen answered before the one in front was posted."""
    stream = update(comment(0), comment(2), comment(1))  # 1 and 2 were under way together
    stream += update(comment(4, answered=4), comment(3, answered=3))  # 3 was not: 4 knew it
    stream += update(comment(4, answered=4))

    def serve(connection):
        connection.send(connection.upgrade_response() + stream)
        connection.read_to_end()

    saw = watch(tools, serving(serve), viewers=2)
    assert (saw.comments, saw.disordered, saw.twice) == (2 * 5, 2, 2)


def test_every_viewer_watches_its_room_and_knows_a_comment_of_another(tools, serving):
    """Comment n belongs to room n % rooms."""
    paths = []

    def serve(connection):
        response = connection.upgrade_response()
        connection.send(response + update(comment(0), comment(1), comment(2)))
        connection.read_to_end()

    def remembering(connection):
        paths.append(connection.read_head().split()[1])
        connection.send(b"HTTP/1.1 200 OK\r\n\r\n")
        connection.read_to_end()

    saw = watch(tools, serving(serve), viewers=3, rooms=3)
    assert (saw.comments, saw.strays) == (3, 6)
    watch(tools, serving(remembering), viewers=4, rooms=3, path="/live/r-{room}/x", events="yes")
    assert sorted(paths) == ["/live/r-0/x", "/live/r-0/x", "/live/r-1/x", "/live/r-2/x"]


def test_events_are_counted_however_they_are_cut(tools, serving):
    """A viewer asks for server-sent events and parses them; comment lines are pings."""
    body = json.dumps({"type": "update", "comments": [comment(0), comment(1)]})
    welcome = '{"type":"welcome","comments":[{"commentText":"t=1700000000000000000;"}]}'
    stream = (
        f"event: welcome\ndata: {welcome}\n\n: ping\n\nevent: update\nid: 9f:2\ndata: {body}\n\n"
    )
    heads = []

    def serve(connection):
        heads.append(connection.read_head())
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        for at in range(0, len(stream), 7):
            connection.send(stream[at : at + 7].encode())
        connection.read_to_end()

    saw = watch(tools, serving(serve), viewers=1, events="yes")
    assert "Accept: text/event-stream" in heads[0]
    assert (saw.comments, saw.welcomes, saw.pings) == (2, 1, 1)
    assert saw.bytes == len(stream)


def test_a_viewer_says_first_what_it_was_told_and_joins_with_the_answer(tools, serving):
    """As servers need it that want to be asked for a channel; masked, as clients must."""
    said = []

    def serve(connection):
        connection.send(connection.upgrade_response())
        head, mask = connection.read(2), connection.read(4)
        masked = connection.read(head[1] & 0x7F)
        said.append(bytes(byte ^ mask[i % 4] for i, byte in enumerate(masked)).decode())
        connection.send(frame({"id": 1}) + update(comment(0)))
        connection.read(1)

    with Process(viewers(tools, serving(serve), viewers=1, say="hello {room}")) as process:
        assert process.read_line(within=20) == "ready 1"
        saw = Viewers(process).finish()
    assert said == ["hello 0"]
    assert (saw.messages, saw.comments) == (2, 1)


def test_deaf_viewers_take_nothing(tools, serving):
    """The server's socket stays full."""
    stuck = []

    def serve(connection):
        connection.send(connection.upgrade_response())
        connection._plain.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.send(b"x" * MUCH)
        stuck.append(connection.number)

    saw = watch(tools, serving(serve), viewers=2, manner="deaf")
    assert sorted(stuck) == [0, 1]
    assert (saw.bytes, saw.sampled, saw.closed) == (0, 0, 0)


def test_slow_viewers_take_what_they_were_told_a_second(tools, serving):
    """Within a second a viewer of 2,000 bytes a second takes that, and no more."""

    def serve(connection):
        connection.send(connection.upgrade_response() + b"x" * 50_000)
        connection.read(1)  # until the viewer has gone

    argv = viewers(tools, serving(serve), manner="slow", slow_bytes=2000, seconds=1)
    with Process(argv) as process:
        process.read_line(within=20)
        saw = Viewers(process).result(within=20)
    assert 0 < saw.bytes <= 2000 * (saw.seconds + 0.1)


def test_flapping_viewers_come_again_and_again(tools, serving):
    """Each is cut once in its time, by the tool and not by the server."""
    came, enough = [], threading.Event()

    def serve(connection):
        with contextlib.suppress(ConnectionError):  # cut before it was answered
            if head := connection.read_head():
                came.append(head)
                if len(came) == 6:
                    enough.set()
                connection.send(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
                connection.read(1)

    argv = viewers(tools, serving(serve), viewers=2, manner="flap", flap_seconds=0.2)
    with Process(argv) as process:
        process.read_line(within=20)
        assert enough.wait(20)
        saw = Viewers(process).finish()
    assert saw.cuts >= 4
    assert saw.closed == 0


def test_viewers_that_are_cut_resume_where_they_were_and_miss_nothing(tools, serving):
    """They ask with the last position that they saw; complete is who has it all again."""
    asked = []

    def serve(connection):
        key = connection.upgrade_response()
        welcome = {"type": "welcome", "position": "9f:0", "recovered": connection.number >= 2}
        # In one piece: who has the welcome has the comment, too.
        connection.send(key + frame(welcome) + update(comment(connection.number // 2)))
        asked.append(connection.read(1))

    server = serving(serve)
    with Process(viewers(tools, server, viewers=2, welcome="yes")) as process:
        process.read_line(within=20)
        back = Viewers(process).cut()
        saw = Viewers(process).finish()
    assert (back.complete, back.recovered) == (2, 2)
    assert 0 < back.back_seconds <= back.complete_seconds + 1e-3
    assert (saw.cuts, saw.comments, saw.twice) == (2, 4, 0)


def test_the_position_of_the_last_update_is_in_the_next_request(tools, serving):
    """Positions of an `update` count as much as those of a `welcome`."""
    paths = []

    def serve(connection):
        head = connection.read_head()
        paths.append(re.match(r"GET (\S+)", head)[1])
        connection.send(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
        connection.send(frame({"type": "welcome", "position": "9f:3"}))
        connection.send(update(comment(0), position="9f:77"))
        connection.read(1)

    with Process(viewers(tools, serving(serve), viewers=1, welcome="yes")) as process:
        process.read_line(within=20)
        Viewers(process).cut()
        Viewers(process).finish()
    assert paths[0] == PATH
    assert paths[1] in {f"{PATH}?position=9f:77", f"{PATH}?position=9f:3"}
