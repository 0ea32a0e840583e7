"""The reactors send one message a reaction and count what came of each."""

import json
import re
import threading
import time
from collections import Counter

from groundswell.bench import reacting, tokens
from groundswell.bench.process import Process

LATE = 0.15  # seconds that a server of these tests waits before each answer
UPGRADED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
WELCOME = b'{"type":"welcome","comments":[]}'
TYPES = ("like", "love", "haha", "wow", "sad", "angry")


def text(payload: bytes) -> bytes:
    """Return a server's text frame of less than 126 bytes."""
    return bytes([0x81, len(payload)]) + payload


def read_message(connection):
    """Return the next message of a client, unmasked, or None at the end."""
    head = connection.read(2)
    if len(head) < 2 or head[0] != 0x81:
        return None
    assert head[1] & 0x80, "a client's frame is masked"
    size = head[1] & 0x7F
    if size == 126:
        size = int.from_bytes(connection.read(2), "big")
    mask, masked = connection.read(4), connection.read(size)
    return json.loads(bytes(byte ^ mask[i % 4] for i, byte in enumerate(masked)))


def ack(message) -> bytes:
    return text(b'{"type":"ack","ref":"%b","reactionCount":{}}' % message["ref"].encode())


def react(tools, server, tmp_path, *, sockets=4, comments=500, **options):
    """Run the reactors against a server; return what they saw and what they wrote down."""
    users, ids = tmp_path / "users", tmp_path / "comments"
    tokens.write_tokens(users, secret=tokens.make_secret(), users=sockets)
    ids.write_text("".join(f"comment-{n}\n" for n in range(comments)))
    tally = tmp_path / "tally"
    argv = [tools.reactors, "--port", server.port, "--path", "/live/v/comments/stream"]
    argv += ["--tokens", users, "--comments", ids, "--tally", tally, "--sockets", sockets]
    for name, value in {"warm": 0.1, "seconds": 0.3, **options}.items():
        argv += [f"--{name}", value]
    with Process(argv) as process:
        assert process.read_line(within=20) == f"ready {sockets}"
        reacting.wait_warm(process)
        return reacting.reacted(process), reacting.read_tally(tally)


def test_every_acknowledged_reaction_is_told_by_comment_and_type(tools, serving, tmp_path):
    """No user reacts to a comment twice; each socket has a token of its own."""
    asked, bearers, lock = Counter(), Counter(), threading.Lock()

    def serve(connection):
        bearer = re.search(r"Authorization: Bearer (\S+)", connection.read_head())[1]
        connection.send(UPGRADED + text(WELCOME))
        while message := read_message(connection):
            assert message["type"] == "reaction"
            with lock:
                bearers[bearer] += 1
                asked[message["commentID"], TYPES.index(message["reactionType"]) + 1] += 1
                assert asked.total() == sum(bearers.values())
            connection.send(ack(message))

    saw, tally = react(tools, serving(serve), tmp_path, rate=400)
    assert saw.sent == saw.acked == asked.total() == 160
    assert (saw.refused, saw.unanswered, saw.skipped, saw.broken, saw.closed) == (0, 0, 0, 0, 0)
    assert saw.other_messages == 4
    assert tally == asked
    assert set(bearers.values()) == {40}
    assert 0 < saw.per_second < 1000


def test_refusals_are_counted_by_their_code_and_in_no_total(tools, serving, tmp_path):
    """Every other message is refused as busy."""

    def serve(connection):
        connection.read_head()
        connection.send(UPGRADED)
        while message := read_message(connection):
            if int(message["ref"]) % 2:
                refusal = b'{"type":"error","ref":"%b","code":"busy","title":"Busy"}'
                connection.send(text(refusal % message["ref"].encode()))
            else:
                connection.send(ack(message))

    saw, tally = react(tools, serving(serve), tmp_path, rate=400)
    assert saw.acked + saw.refused == saw.sent
    assert saw.errors == {"busy": saw.refused}
    assert saw.refused > 0
    assert tally.total() == saw.acked


def test_a_closed_loop_waits_for_its_answers(tools, serving, tmp_path):
    """With a window of 2 no socket ever has more than 2 messages unanswered."""
    most = []

    def serve(connection):
        connection.read_head()
        connection.send(UPGRADED)
        waiting = []
        while message := read_message(connection):
            waiting.append(message)
            most.append(len(waiting))
            if len(waiting) == 2:
                connection.send(b"".join(ack(waiting.pop()) for _ in range(2)))

    saw, _ = react(tools, serving(serve), tmp_path, comments=50_000, rate=0, window=2)
    assert max(most) == 2
    assert saw.unanswered <= saw.sockets
    assert saw.acked > 0


def test_latency_counts_from_when_a_message_was_due(tools, serving, tmp_path):
    """A server that answers late is late by at least that much."""

    def serve(connection):
        connection.read_head()
        connection.send(UPGRADED)
        while message := read_message(connection):
            time.sleep(LATE)
            connection.send(ack(message))

    saw, _ = react(tools, serving(serve), tmp_path, rate=40, seconds=0.5)
    assert saw.latency_ms is not None
    assert saw.latency_ms.p50 >= 1000 * LATE
