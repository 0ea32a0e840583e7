"""Scenario `calibrate`: what the model of capacity is made of, in a few minutes.

The scenarios of the bench are run small, on the native plane: one server core, one client core.
Fan-out runs with few and with many viewers, at two rates and a fixed tick, so that frames carry one
comment or many: from those legs come the fixed cost of a write and its cost by the byte.
"""

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from itertools import product

from groundswell.bench import fanout, ingest, tally, traffic
from groundswell.bench.capacity import encoded, reading
from groundswell.bench.journal import Journal
from groundswell.bench.plane import idle, joins, room, uplink
from groundswell.bench.report import Row
from groundswell.bench.run import Run
from groundswell.bench.targets import Target

PLANE = "native"
TICK = 0.1  # seconds: a pass over all viewers takes less, so that frames have a known size
RATES = (8.0, 300.0)  # comments a second: one in a frame, thirty in a frame
FEW = 100  # viewers whose writes hardly count: what is left are the posts
FANOUT_SECONDS = 4.0
WARM_RATE = 20.0  # comments a second, for a second before each leg
INGEST_SECONDS = 5.0
IDLE_SECONDS = idle.PING_INTERVAL + 1  # everybody is pinged once
UPLINK_VIEWERS = 50  # so few that their frames are a hundredth of the reactions' cost
FOLDED = 200_000  # reactions


def measure(run: Run, *, scale: float, rounds: int) -> tuple[list[Row], list[Row]]:
    """Run all of it; return what is measured by now, and its records, each with its `scenario`.

    `scale` is of viewers and sockets, below 1 for a quick look. Fan-out is measured `rounds` times:
    what others do on the machine only ever makes a leg dearer, so `units` takes the cheapest.
    """
    legs = _legs(run, scale=scale, rounds=rounds)
    rows, details = run.journal.start(legs=len(legs))
    for scenario, leg, measure_leg in legs:
        run.journal.begin(f"{scenario}, {leg}" if leg else scenario)
        for record in measure_leg():
            details.append({"scenario": scenario, **record})
            rows.append({"what": scenario, "leg": leg, "bounded by": record.get("bounded by", "")})
    return rows, details


def _legs(
    run: Run, *, scale: float, rounds: int
) -> list[tuple[str, str, Callable[[], Sequence[Row]]]]:
    """Return scenario, leg, and what measures it."""

    def sized(viewers: int) -> int:
        return max(1, round(viewers * scale))

    def timed(seconds: float = 0.0) -> Run:  # with a journal of its own: the run's is of all parts
        shorter = max(1.0, seconds * min(1.0, scale * 10))
        return dataclasses.replace(run, seconds=shorter, journal=Journal())

    many = max(2 * FEW, sized(5000))
    fan_out = [
        (
            "fanout",
            f"{viewers:,} viewers, {rate:g} comments/s, round {number}",
            partial(_fanout, timed(FANOUT_SECONDS), number, viewers=viewers, rate=rate),
        )
        for number, viewers, rate in product(range(1, rounds + 1), (FEW, many), RATES)
    ]

    def joined() -> Sequence[Row]:
        at_once = min(500, sized(500))
        servers = ["groundswell"]
        return joins.measure(
            timed(), viewers=sized(5000), at_once=at_once, servers=servers, plane=PLANE
        )[0]

    def reacted() -> Sequence[Row]:
        return uplink.measure(
            timed(FANOUT_SECONDS),
            sockets=sized(1000),
            viewers=UPLINK_VIEWERS,
            window=4,
            plane=PLANE,
        )[0]

    def folded() -> Row:
        return tally.fold_alone(round(FOLDED * min(1.0, scale)), core=run.server_core)

    return [
        *fan_out,
        ("ingest", "", lambda: [_posted(timed(INGEST_SECONDS))]),
        ("joins", "", joined),
        (
            "idle",
            "",
            lambda: idle.measure(timed(IDLE_SECONDS), viewers=sized(8000), plane=PLANE)[0],
        ),
        ("uplink", "", reacted),
        ("fold", "", lambda: [folded()]),
        ("reading", "", lambda: [reading.measure(core=run.server_core)]),
        ("encoded", "", lambda: [encoded.measure()]),
    ]


def _posted(run: Run) -> Row:
    with room.groundswell(run, PLANE) as server:
        return ingest.measure_server(run, server)[0]


def _fanout(run: Run, number: int, *, viewers: int, rate: float) -> Sequence[Row]:
    with room.groundswell(run, PLANE, tick_env(TICK)) as server:
        return [{"round": number, **fanout_leg(run, server, viewers=viewers, rate=rate)}]


def fanout_leg(run: Run, server: Target, *, viewers: int, rate: float) -> dict[str, object]:
    """Measure one leg of fan-out; CPU in seconds, writes and bytes to all viewers together."""
    rss = server.process.rss_bytes()
    with room.posting(run, server, rate=WARM_RATE, seconds=1.0) as (_, wait_posted):
        wait_posted()  # the first posts pay for imports and files
    with traffic.watching(
        run.tools, server.port, viewers=1, core=run.client_core, options={"welcome": "yes"}
    ) as first:
        welcome = first.finish().viewer_bytes_min
    row, detail = fanout.measure_server(run, server, viewers=viewers, rate=rate)
    return {
        "viewers": viewers,
        "comments/s": rate,
        "seconds": run.seconds,
        "posts": traffic.offered(rate, run.seconds),
        **sent(row, detail, welcome=welcome),
        "RSS before": rss,
        "RSS after": server.process.rss_bytes(),
        "others %": row["others %"],
        "bounded by": row["bounded by"],
    }


def sent(row: Row, detail: Row, *, welcome: int) -> dict[str, object]:
    """Return what `fanout` measured as sums over all viewers; a welcome has so many bytes.

    Only sampled viewers are parsed, so their comments and messages stand for all. Bytes are
    counted of everybody, and hold the welcomes, which came before the CPU was measured.
    """
    saw = detail["saw"]
    assert isinstance(saw, dict)  # noqa: S101 - narrows: measure_server makes it one
    share = saw["connected"] / max(1, saw["sampled"])
    deliveries = saw["comments"] * share
    cost = row["CPU us/delivery"]
    return {
        "delivered %": row["delivered %"],
        "CPU s": deliveries * cost / 1e6 if isinstance(cost, float) else None,
        "writes": (saw["messages"] - saw["welcomes"]) * share,
        "deliveries": deliveries,
        "bytes": saw["bytes"] - saw["connected"] * welcome,
    }


def tick_env(tick: float) -> dict[str, str]:
    """Return the settings with which frames are `tick` seconds apart, however few viewers."""
    return {
        "GROUNDSWELL_ROOM_TICK_MIN": f"{tick:g}",
        "GROUNDSWELL_ROOM_TICK_MAX": f"{tick:g}",
    }
