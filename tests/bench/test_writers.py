"""The writers count what they posted and how it was answered."""

import json
import re
import threading
from collections import Counter

from groundswell.bench.process import Process
from groundswell.bench.traffic import WritersSaw, written

STALL = 0.3  # seconds that a server of these tests does not answer
CREATED = b'HTTP/1.1 201 Created\r\ncontent-length: 2\r\nX: "\r\n\r\n{}'
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"


def read_post(connection):
    """Return head and parsed body of the next request, or None at the end."""
    head = connection.read_head()
    if not head:
        return None
    length = int(re.search(r"Content-Length: (\d+)", head)[1])
    return head, json.loads(connection.read(length))


def write(tools, server, token_file, **options) -> WritersSaw:
    """Run the writers against a server."""
    argv = [tools.writers, "--port", server.port, "--path", "/live/v/comments"]
    argv += ["--tokens", token_file]
    for name, value in options.items():
        argv += [f"--{name.replace('_', '-')}", value]
    with Process(argv) as process:
        return written(process, within=20)


def test_every_post_is_counted_once_by_both_sides(tools, serving, token_file):
    """Closed loop: posts carry each user's token, a stamp, and distinct texts."""
    heads, texts = [], []

    def serve(connection):
        while post := read_post(connection):
            heads.append(post[0])
            texts.append(post[1]["commentText"])
            connection.send(CREATED[:20])
            connection.send(CREATED[20:])

    saw = write(tools, serving(serve), token_file, connections=4, seconds=0.3)
    assert saw.sent == saw.answered == saw.ok == len(texts) > 0
    assert saw.statuses == {"201": len(texts)}
    assert (saw.other, saw.lost, saw.unanswered) == (0, 0, 0)
    assert len(set(texts)) == len(texts)
    assert all(re.match(r"t=\d{19};", text) for text in texts)
    tokens = {line.split()[1] for line in token_file.read_text().splitlines()}
    used = {re.search(r"Authorization: Bearer (\S+)", head)[1] for head in heads}
    assert used <= tokens
    assert saw.latency_ms is not None
    assert saw.latency_ms.p50 <= saw.latency_ms.p99


def test_refusals_are_counted_by_their_status(tools, serving, token_file):
    """Every third post is refused, and that is what the report says."""
    answered = Counter()

    def serve(connection):
        while read_post(connection):
            refuse = answered.total() % 3 == 2
            answered["503" if refuse else "201"] += 1
            connection.send(BUSY if refuse else CREATED)

    saw = write(tools, serving(serve), token_file, connections=1, seconds=0.2)
    assert saw.statuses == dict(answered)
    assert (saw.ok, saw.other) == (answered["201"], answered["503"])


def test_an_open_loop_posts_exactly_its_rate(tools, serving, token_file):
    """Two hundred a second for half a second are a hundred."""

    def serve(connection):
        while read_post(connection):
            connection.send(CREATED)

    saw = write(tools, serving(serve), token_file, connections=4, seconds=0.5, rate=200)
    assert (saw.sent, saw.ok) == (100, 100)


def test_an_open_loop_does_not_leave_out_what_waited_for_a_stalled_server(
    tools, serving, token_file
):
    """Comments due while the only connection waits count from when they were due."""
    stalled = threading.Event()

    def serve(connection):
        while read_post(connection):
            if not stalled.is_set():
                stalled.set()
                threading.Event().wait(STALL)
            connection.send(CREATED)

    saw = write(tools, serving(serve), token_file, connections=1, seconds=1, rate=50)
    assert saw.sent == 50
    assert saw.latency_ms is not None
    assert saw.latency_ms.max >= STALL * 1000
    assert saw.latency_ms.p90 >= STALL * 1000 / 3  # from the send only one post was slow: 2 %


def test_a_connection_that_the_server_drops_is_lost_and_not_forgotten(tools, serving, token_file):
    """One of two connections is closed instead of an answer; the other goes on."""

    def serve(connection):
        while read_post(connection) and connection.number > 0:
            connection.send(CREATED)

    saw = write(tools, serving(serve), token_file, connections=2, seconds=0.2)
    assert (saw.lost, saw.unanswered) == (1, 1)
    assert saw.ok == saw.sent - 1 > 0


def test_a_server_that_never_answers_does_not_hold_the_writers(tools, serving, token_file):
    """All connections are gone: the tool ends at once and reports what it sent."""

    def serve(connection):
        read_post(connection)

    saw = write(tools, serving(serve), token_file, connections=3, seconds=15)
    assert (saw.sent, saw.ok, saw.lost, saw.latency_ms) == (3, 0, 3, None)
    assert saw.seconds < 10


def test_every_post_may_have_a_key_of_its_own(tools, serving, token_file):
    """The keys are fit for the header of the protocol."""
    keys = []

    def serve(connection):
        while post := read_post(connection):
            keys.append(re.search(r"Idempotency-Key: (\S+)", post[0])[1])
            connection.send(CREATED)

    saw = write(tools, serving(serve), token_file, connections=2, seconds=0.2, keys="yes")
    assert len(set(keys)) == len(keys) == saw.sent
    assert all(re.fullmatch(r"[A-Za-z0-9_.:-]{1,64}", key) for key in keys)


def test_instead_of_posting_it_may_ask(tools, serving, token_file):
    """A page larger than any answer to a post is read to its end."""
    page = b"[" + b" " * 20_000 + b"]"
    heads = []

    def serve(connection):
        while head := connection.read_head():
            heads.append(head)
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(page) + page)

    saw = write(tools, serving(serve), token_file, connections=2, seconds=0.2, get="yes")
    assert saw.statuses == {"200": len(heads)}
    assert {head.partition("\r\n")[0] for head in heads} == {"GET /live/v/comments HTTP/1.1"}


def test_a_rate_that_climbs_is_due_when_its_formula_says(tools, serving, token_file):
    """From 20 a second to 200 within half a second: each text's stamp is when it was due."""
    stamps = {}

    def serve(connection):
        while post := read_post(connection):
            mark = re.match(r"t=(\d+);n=(\d+);a=(\d+);", post[1]["commentText"])
            stamps[int(mark[2])] = int(mark[1])
            assert int(mark[3]) <= int(mark[2])
            connection.send(CREATED)

    options = {"rate": 20, "peak": 200, "rise": 0.5, "seconds": 1, "connections": 4}
    saw = write(tools, serving(serve), token_file, **options)
    assert saw.sent == len(stamps) > 0
    for number, stamp in stamps.items():
        seconds = (stamp - stamps[0]) / 1e9
        risen = min(seconds, 0.5)
        due = 20 * risen + (200 - 20) / 0.5 * risen**2 / 2 + 200 * (seconds - risen)
        assert abs(due - number) < 1e-3


def test_comments_go_to_rooms_in_turn_in_the_body_that_a_server_wants(tools, serving, token_file):
    """Path and body name the room; the text stands between head and tail."""
    posts = []

    def serve(connection):
        while post := read_post(connection):
            posts.append((post[0].split()[1], post[1]["room"], post[1]["data"]["commentText"]))
            connection.send(CREATED)

    head = '{"room":"r-{room}","data":{"commentText":"'
    options = {"head": head, "tail": '"}}', "rooms": 3, "path": "/post/{room}", "seconds": 0.2}
    saw = write(tools, serving(serve), token_file, connections=1, **options)
    assert saw.sent == len(posts) > 0
    for number, (path, room, text) in enumerate(posts):
        assert (path, room) == (f"/post/{number % 3}", f"r-{number % 3}")
        assert f";n={number};a={number};" in text
