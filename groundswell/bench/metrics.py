"""Reading a server's internal port."""

import http.client
import re
import time

from groundswell.bench.native_tools import ToolFailed
from groundswell.bench.process import Process

TIMEOUT = 5.0  # seconds for one answer
PERSIST_LAG = "groundswell_persist_lag_records"


def get(port: int, path: str) -> tuple[int, str]:
    """Return status and body. Raises `OSError` where nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def wait_ready(server: Process, port: int, *, within: float) -> None:
    """Wait until `/ready` answers 200.

    Raises:
        ToolFailed: the server ended, or is not ready in time.
    """
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        server.check()
        try:
            if get(port, "/ready")[0] == 200:
                return
        except OSError:  # not listening yet
            pass
        time.sleep(0.05)
    raise ToolFailed(f"{server.name} is not ready after {within:g} s")


def gauge(text: str, name: str, **labels: str) -> float | None:
    """Return the sum of the samples of a metric that carry these labels; None: there are none.

    >>> gauge('lag{projection="comments",partition="3"} 7', "lag", projection="comments")
    7.0
    """
    found = None
    for line in text.splitlines():
        match = re.match(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)", line)
        if not match or match[1] != name:
            continue
        has = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', match[2] or ""))
        if labels.items() <= has.items():
            found = (found or 0.0) + float(match[3])
    return found


def persist_lag(port: int) -> float | None:
    """Return how many records the comments projection is behind the log; None: not told."""
    try:
        return gauge(get(port, "/metrics")[1], PERSIST_LAG, projection="comments")
    except OSError:  # too busy to answer: a hole in the series, not the end of the run
        return None
