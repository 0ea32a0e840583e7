"""Scenario `uplink`: reactions through the sockets of one process, beside its fan-out.

Each reaction is a WebSocket message of its own, of another user and to another comment than those
around it, through the whole gate: token, limits of user and address, the comment id's MAC, the
user's former reaction, the log, counts. While it is measured the process persists no reactions;
then another one on the same files counts the log, and its totals must be the answers'.
"""

import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import orjson

from groundswell.bench import reacting, targets, tokens, traffic
from groundswell.bench.cluster_reactions import COMMENTS, GATE, HIGH, TOTALS_TIME
from groundswell.bench.plane import room
from groundswell.bench.plane.meter import PlaneMeter
from groundswell.bench.process import Process
from groundswell.bench.report import Row
from groundswell.bench.run import Run
from groundswell.bench.servers import environment
from groundswell.bench.stored_totals import Totals, settled_totals, verdict
from groundswell.bench.targets import VIDEO, Target

STORE = "store.db"  # in the data folder
COMMENT_RATE = 10.0  # a second, for the viewers' latency
QUIET_RATE = 1.0  # reactions a second of the leg without uplink: the same sockets, hardly a word
# Limits are asked for each message, and refuse none.
_ENV = {**GATE, "GROUNDSWELL_STREAM_UPLINK_MESSAGES": HIGH}
Starting = AbstractContextManager[Target]
_LOADS = {"without": QUIET_RATE, "full": 0.0}  # reactions a second; 0: a closed loop


def measure(
    run: Run, *, sockets: int, viewers: int, window: int, plane: str
) -> tuple[list[Row], list[Row]]:
    """Measure fan-out without uplink and both at full uplink; return the rows and the records."""
    rows, details = run.journal.start(legs=len(_LOADS))
    due: Totals = Counter()
    unknown = 0  # sent and not acknowledged
    users = run.tokens.with_name("reacting-tokens")
    tokens.write_tokens(users, secret=run.secret, users=sockets)
    secret = tokens.make_secret()
    env = {**environment(plane), **_ENV, "GROUNDSWELL_IDS_SECRET": secret}
    with tempfile.TemporaryDirectory(prefix="groundswell-bench-") as folder:
        start = _starting(run, Path(folder), env)
        with start("comments", run.server_core) as server:
            for name, rate in _LOADS.items():
                run.journal.begin(f"{name} uplink")
                comments = reacting.write_comments(
                    run.tokens.with_name(f"comments-{name}"), VIDEO, secret=secret, count=COMMENTS
                )
                tally = comments.with_suffix(".tally")
                with (
                    traffic.watching(
                        run.tools, server.port, viewers=viewers, core=run.client_core
                    ) as watching,
                    reacting.reactors(
                        run.tools,
                        server.port,
                        video=VIDEO,
                        tokens=users,
                        comments=comments,
                        tally=tally,
                        sockets=sockets,
                        rate=rate,
                        window=window,
                        seconds=run.seconds,
                        core=run.client_core,
                    ) as reactors,
                ):
                    row, detail = _leg(run, server, reactors, watching)
                rows.append({"uplink": name, **row})
                details.append({**rows[-1], **detail})
                due += reacting.read_tally(tally)
                unknown += sum(int(str(row[key])) for key in ("refused", "unanswered"))
        with start("tally", None):
            stored = settled_totals(lambda: read_totals(Path(folder)), due, within=TOTALS_TIME)
    rows[-1] = {**rows[-1], "totals": verdict(stored, due, unanswered=unknown)}
    return rows, details


def _leg(run: Run, server: Target, reactors: Process, watching: traffic.Viewers) -> tuple[Row, Row]:
    reacting.wait_warm(reactors)
    with room.posting(run, server, rate=COMMENT_RATE, seconds=run.seconds) as (writers, wait):
        meter = PlaneMeter(
            {server.name: server.process},
            {"reactors": reactors, "viewers": watching.process, "writers": writers},
            server_core=run.server_core,
            client_core=run.client_core,
        )
        room.rest(run.seconds)
        cpu, columns = meter.server_seconds(), meter.columns()
        wrote = wait()
    reacted = reacting.reacted(reactors)
    room.rest()
    saw = watching.finish()
    server.process.check()
    messages = reacted.per_second * run.seconds
    loaded = reacted.per_second > 10 * QUIET_RATE and cpu > 0
    comments_due = traffic.offered(COMMENT_RATE, run.seconds) * saw.sampled
    row: Row = {
        "sockets": reacted.sockets - reacted.closed,
        "messages/s": reacted.per_second,
        "CPU us/message": 1e6 * cpu / messages if loaded else None,
        "per s of a full core": messages / cpu if loaded else None,
        "ack p99 ms": reacted.latency_ms.p99 if reacted.latency_ms else None,
        "refused": reacted.refused,
        "unanswered": reacted.unanswered,
        "totals": None,
        "viewers": saw.connected,
        "delivered %": 100 * saw.comments / comments_due,
        "fan-out p50 ms": saw.latency_ms.p50 if saw.latency_ms else None,
        "fan-out p99 ms": saw.latency_ms.p99 if saw.latency_ms else None,
        "lost viewers": saw.closed,
        **columns,
    }
    detail = {"reactors": reacting.as_record(reacted), "saw": traffic.as_record(saw)}
    return row, {**detail, "writers": traffic.as_record(wrote)}


def _starting(run: Run, folder: Path, env: dict[str, str]) -> Callable[[str, int | None], Starting]:
    def start(projection: str, core: int | None) -> Starting:
        return targets.groundswell(
            core=core,
            secret=run.secret,
            env={**env, "GROUNDSWELL_PERSIST_PROJECTIONS": projection},
            data=folder,
        )

    return start


def read_totals(folder: Path) -> Totals:
    """Read the totals of reactions out of the embedded store itself, past our own reads."""
    found: Totals = Counter()
    store = sqlite3.connect(f"file:{folder / STORE}?mode=ro", uri=True)
    try:
        for comment, counts in store.execute("SELECT comment_id, counts FROM totals"):
            for code, count in enumerate(orjson.loads(counts), 1):
                if count:
                    found[comment, code] += count
    finally:
        store.close()
    return found
