"""Results in the shapes that scenarios write, with figures that a test can choose."""

from pathlib import Path
from typing import Any

from groundswell.bench.results import save

MACHINE = {
    "time": "2026-11-20T08:00:00Z",
    "cpu": "Example 9000",
    "cores": 2,
    "memory_gib": 7.8,
    "kernel": "6.1.0",
    "load_average": [0.1, 0.1, 0.1],
    "python": "3.11.2",
    "versions": {"groundswell": "0.1.0", "aiohttp": "3.14.5"},
    "commit": "94c4f8e00000",
}
SETTINGS = {"seconds": 10.0, "viewers": 5000, "rates": [10.0, 100.0]}


def fanout_row(server: str, rate: float, **changed: Any) -> dict[str, Any]:
    """One leg of `fanout`."""
    cost, kib = {"limit": (1.0, 0.0), "naive": (12.0, 14.0)}.get(server, (2.0, 2.0))
    row = {
        "server": server,
        "comments/s": rate,
        "viewers": 5000,
        "delivered %": 100.0,
        "deliveries/s": 5000 * rate,
        "p50 ms": 20.0 * cost,
        "p99 ms": 50.0 * cost,
        "CPU us/delivery": cost,
        "server busy %": 40.0,
        "client busy %": 20.0,
        "others %": 0.0,
        "MB sent": 100.0,
        "RSS KiB/viewer": kib,
        "lost viewers": 0,
        "bounded by": "",
    }
    return row | changed


def fanout_rows() -> list[dict[str, Any]]:
    """Two rates, three servers; naive is full at the higher one."""
    rows = [fanout_row(name, rate) for rate in (10.0, 100.0) for name in ("limit", "naive")]
    rows[-1] |= {"bounded by": "server", "deliveries/s": 90_000.0, "delivered %": 20.0}
    return rows + [fanout_row("groundswell", rate) for rate in (10.0, 100.0)]


def sweep_rows() -> list[dict[str, Any]]:
    """What a delivery costs in rooms of three sizes."""
    return [
        fanout_row(name, 30_000 / viewers, viewers=viewers)
        for viewers in (1000, 5000, 15_000)
        for name in ("limit", "groundswell")
    ]


def ingest_rows(*rates: float) -> list[dict[str, Any]]:
    """Rounds of `ingest`: the product's posts a second in each; the bare handler's are twice."""
    return [
        {
            "server": server,
            "round": number,
            "posts/s": posts,
            "not 2xx": 0,
            "p50 ms": 64_000 / posts,
            "p99 ms": 150_000 / posts,
            "CPU us/post": 1e6 / posts,
            "server busy %": 99.0,
            "client busy %": 30.0,
            "others %": 0.0,
            "lag end": None if server == "bare_post" else 200,
            "bounded by": "server",
        }
        for number, rate in enumerate(rates, 1)
        for server, posts in (("bare_post", 2 * rate), ("groundswell", rate))
    ]


def plane_rows() -> list[dict[str, Any]]:
    """Targets: one met, one missed, one not measured."""
    return [
        {"what": "joins: CPU us a join", "figure": 40.0, "target": "<= 45", "met": "yes"},
        {"what": "idle: CPU %", "figure": 2.0, "target": "<= 1", "met": "NO"},
        {"what": "sweep: spread", "figure": None, "target": "<= 15", "met": None},
    ]


def write(folder: Path, scenario: str, rows: list[dict[str, Any]], **changed: Any) -> Path:
    """Write a result file; `changed` are further arguments of `save`, machine and settings too."""
    given: dict[str, Any] = {"machine": MACHINE, "settings": SETTINGS, "details": []}
    return save(folder, scenario, rows=rows, **{**given, **changed})
