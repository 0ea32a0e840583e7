"""Scenario `memory`: what an idle viewer costs that has joined, by who it is and where from.

A small crowd comes first, so that what a process needs once is there before. A second crowd comes
after the first has gone: what it adds should be nothing. The kernel's share is in neither.
"""

import time
from dataclasses import replace

from groundswell.bench import tokens, traffic
from groundswell.bench.metrics import gauge, get
from groundswell.bench.native_tools import ToolFailed
from groundswell.bench.plane import room
from groundswell.bench.report import Row
from groundswell.bench.run import Run
from groundswell.bench.targets import Target

FIRST_FEW = 600  # three times as many as `viewers.c` connects at once
LEAVE_TIME = 60.0  # seconds until all that have left are known to be gone

# By the name of a crowd: whether each has an address, and a token, of its own.
CROWDS = {
    "one address": (False, False),
    "addresses": (True, False),
    "addresses and tokens": (True, True),
}


# Nobody is pinged away while the others connect; the memory of tokens has a bound of its own.
_ENV = {"GROUNDSWELL_STREAM_PING_INTERVAL": "600", "GROUNDSWELL_AUTH_CACHED_TOKENS": "100"}


def measure(run: Run, *, viewers: int, plane: str) -> tuple[list[Row], list[Row]]:
    """Measure each crowd on a fresh server; return the table's rows; nothing is behind them."""
    rows, details = run.journal.start(legs=len(CROWDS))
    users = run.tokens.with_name("memory-tokens")
    tokens.write_tokens(users, secret=run.secret, users=viewers)
    run = replace(run, tokens=users)
    for crowd in CROWDS:
        run.journal.begin(crowd)
        with room.groundswell(run, plane, _ENV) as server:
            rows.append(_measure_server(run, server, crowd, viewers=viewers))
    return rows, details


def _measure_server(run: Run, server: Target, crowd: str, *, viewers: int) -> Row:
    """Have a crowd come, go, and come again."""
    _visit(run, server, crowd, viewers=min(FIRST_FEW, viewers))
    before = server.process.rss_bytes()
    first = _visit(run, server, crowd, viewers=viewers)
    second = _visit(run, server, crowd, viewers=viewers)
    return {
        "viewers with their own": crowd,
        "viewers": viewers,
        "bytes/viewer": (first - before) / viewers,
        "bytes/viewer, second crowd": (second - before) / viewers,
        "bounded by": "",
    }


def _visit(run: Run, server: Target, crowd: str, *, viewers: int) -> int:
    """Return the server's resident bytes while a crowd is there; it has gone afterwards."""
    own_addresses, own_tokens = CROWDS[crowd]
    options: dict[str, object] = {"sources": viewers if own_addresses else 1}
    if own_tokens:
        options["tokens"] = run.tokens
    with traffic.watching(
        run.tools,
        server.port,
        viewers=viewers,
        core=run.client_core,
        options=options,
    ) as watching:
        room.rest()
        resident = server.process.rss_bytes()
        saw = watching.finish()
    if saw.closed:
        raise ToolFailed(f"{saw.closed} of {viewers} viewers were closed")
    _wait_left(server)
    return resident


def _wait_left(server: Target) -> None:
    deadline = time.monotonic() + LEAVE_TIME
    port = server.internal_port or server.port
    while gauge(get(port, "/metrics")[1], "groundswell_plane_viewers") != 0:
        if time.monotonic() > deadline:
            raise ToolFailed("viewers have left, and the server does not know")
        time.sleep(0.05)
