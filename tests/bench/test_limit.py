"""The C loop speaks the protocol and delivers everything to everybody."""

import json

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from groundswell.bench.process import Process
from groundswell.bench.traffic import watching


@pytest.fixture
def limit(tools):
    """A loop that makes up 100 comments in half a second."""
    argv = [tools.limit, "--rate", 200, "--seconds", 0.5, "--tick-ms", 20]
    with Process(argv) as process:
        yield process


def port_of(limit: Process) -> int:
    """Return the port that the loop said."""
    return int(limit.read_line(within=10).split()[1])


def test_a_websocket_library_accepts_its_handshake_and_frames(limit):
    """An independent client checks the accept key and every frame."""
    with connect(f"ws://127.0.0.1:{port_of(limit)}/", compression=None) as viewer:
        limit.write_line("go")
        texts = []
        while len(texts) < 100:
            message = json.loads(viewer.recv(timeout=10))
            assert message["type"] == "update"
            for comment in message["comments"]:
                assert len(json.dumps(comment, separators=(",", ":"))) == 215
                texts.append(comment["commentText"])
        assert len(set(texts)) == 100
        limit.close_stdin()
        with pytest.raises(ConnectionClosed):
            viewer.recv(timeout=10)


def test_the_driver_counts_what_the_loop_says_it_sent(tools, limit):
    """Two tools of ours agree to the comment, and latency lies within a tick and a pass."""
    with watching(tools, port_of(limit), viewers=50, core=None, sampled=10) as viewers:
        limit.write_line("go")
        sent = json.loads(limit.read_line(within=20))
        saw = viewers.finish()
    assert (sent["comments"], sent["deliveries"], sent["lost"]) == (100, 5000, 0)
    assert (saw.sampled, saw.comments, saw.messages) == (10, 1000, 10 * sent["passes"])
    assert saw.viewer_bytes_min == saw.viewer_bytes_max
    assert saw.latency_ms is not None
    assert 0 < saw.latency_ms.p50 < 1000
