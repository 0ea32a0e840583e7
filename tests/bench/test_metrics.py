"""What a server says on its internal port is read right, or said to be missing."""

import socket
import sys

import pytest

from groundswell.bench import metrics
from groundswell.bench.native_tools import ToolFailed
from groundswell.bench.process import Process

TEXT = """\
# HELP groundswell_persist_lag_records Records behind the log.
# TYPE groundswell_persist_lag_records gauge
groundswell_persist_lag_records{projection="comments",partition="0"} 40.0
groundswell_persist_lag_records{partition="1",projection="comments"} 2
groundswell_persist_lag_records{projection="tally"} 900
groundswell_persist_lag_records_created{projection="comments"} 1.7e9
process_cpu_seconds_total 12.5
"""


def answer(status: str, body: bytes = b"") -> bytes:
    """Return a response after which the connection is closed."""
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def test_samples_with_the_labels_are_added_up():
    """Partitions of one projection are one lag; other projections and names are not in it."""
    assert metrics.gauge(TEXT, metrics.PERSIST_LAG, projection="comments") == 42
    assert metrics.gauge(TEXT, "process_cpu_seconds_total") == 12.5


def test_a_metric_that_is_not_there_is_not_zero():
    """No sample is None: zero would mean that persist is up to date."""
    assert metrics.gauge(TEXT, metrics.PERSIST_LAG, projection="index") is None
    assert metrics.gauge("", metrics.PERSIST_LAG) is None


def test_lag_is_read_from_the_internal_port(serving):
    """One GET of /metrics."""
    asked = []

    def serve(connection):
        asked.append(connection.read_head().split()[1])
        connection.send(answer("200 OK", TEXT.encode()))

    assert metrics.persist_lag(serving(serve).port) == 42
    assert asked == ["/metrics"]


def test_a_server_is_ready_when_it_says_so(serving):
    """Answers other than 200 are not the end, and are asked again."""
    statuses = ["503 Service Unavailable", "503 Service Unavailable", "200 OK"]
    answered = []

    def serve(connection):
        connection.read_head()
        answered.append(statuses[connection.number])
        connection.send(answer(statuses[connection.number]))

    with Process([sys.executable, "-c", "input()"]) as child:
        metrics.wait_ready(child, serving(serve).port, within=20)
    assert answered == statuses


def test_a_server_that_ends_while_starting_is_not_waited_for():
    """Its last words are the error."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with (
        Process([sys.executable, "-c", "import sys; sys.exit('bad settings')"]) as child,
        pytest.raises(ToolFailed, match="bad settings"),
    ):
        metrics.wait_ready(child, port, within=20)
