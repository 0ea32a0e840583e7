"""Scenario `sweep`: what a delivery costs with few and with many viewers in a process.

Every size gets the same number of deliveries a second, so that all are measured equally well; a
comment is a frame of its own at all of them.
"""

from collections.abc import Sequence

from groundswell.bench import fanout
from groundswell.bench import servers as servers_of_bench
from groundswell.bench.report import Row
from groundswell.bench.run import Run
from groundswell.bench.servers import Wanted

SERVERS = servers_of_bench.NAMES
COMMENTS_MAX = 30  # a second: frames are at least 20 ms apart (room.tick_min)


def measure(
    run: Run, *, sizes: Sequence[int], deliveries: float, servers: Sequence[str], plane: str
) -> tuple[list[Row], list[Row]]:
    """Run every size with about `deliveries` a second; return the rows and what is behind them."""
    present = servers_of_bench.present(run, servers)
    rows, details = run.journal.start(legs=len(sizes) * len(present))
    for viewers in sizes:
        rate = min(COMMENTS_MAX, max(1.0, deliveries / viewers))
        wanted = Wanted(plane=plane, rate=rate, seconds=run.seconds)
        for name in present:
            run.journal.begin(f"{name}, {viewers:,} viewers")
            with servers_of_bench.start(run, name, wanted) as server:
                row, detail = fanout.measure_server(run, server, viewers=viewers, rate=rate)
            rows.append({**row, "processes": _processes(run, row)})
            details.append(detail)
    return rows, details


def _processes(run: Run, row: Row) -> str:
    shares = (
        f"{row['server']}@{run.server_core} {row['server busy %']:.0f} %",
        f"clients@{run.client_core} {row['client busy %']:.0f} %",
    )
    return ", ".join(shares)


def spread(rows: Sequence[Row], server: str) -> float | None:
    """Return the dearest delivery by the cheapest of a server, less one: 0.1 is 10 %.

    >>> rows = [{"server": "s", "CPU us/delivery": n} for n in (5.0, 5.5)]
    >>> round(spread(rows, "s"), 3)
    0.1
    """
    costs = [row["CPU us/delivery"] for row in rows if row["server"] == server]
    known = [cost for cost in costs if isinstance(cost, float)]
    return max(known) / min(known) - 1 if known else None
