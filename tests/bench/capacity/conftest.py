"""Unit costs as round numbers, and results of the bench as its scenarios write them."""

from typing import Any

import pytest

from groundswell.bench import run as run_module
from groundswell.bench.capacity.units import UNITS, Source, Unit
from groundswell.bench.native_tools import Tools

SOURCE = Source("made-up.json", "calibrate", "abc", "a machine", "today")
COSTS = {
    "write": 8.0,
    "byte": 0.0005,
    "idle": 1.0,
    "join": 40.0,
    "read": 5.0,
    "read total": 1.5,
    "post": 100.0,
    "reaction": 50.0,
    "stored comment": 12.0,
    "counted reaction": 16.0,
    "Cassandra comment": 11.0,
    "Cassandra reaction": 20.0,
    "frame": 60.0,
    "comment": 210.0,
    "total": 140.0,
    "ping": 60.0,
    "welcome": 13_000.0,
    "comment in the log": 340.0,
    "reaction in the log": 55.0,
    "total in the log": 110.0,
    "process": 1e8,
    "viewer": 400.0,
    "viewer's kernel": 3000.0,
    "remembered comment": 700.0,
}


@pytest.fixture(scope="session")
def units() -> dict[str, Unit]:
    """All units there are."""
    assert COSTS.keys() == UNITS.keys()
    found = {name: Unit(value, SOURCE) for name, value in COSTS.items()}
    points = ((8.0, 500.0), (300.0, 200.0), (8000.0, 100.0))
    return found | {"post": Unit(100.0, SOURCE, "", points)}


def leg(viewers: int, rate: float, *, write: float, byte: float, post: float) -> dict[str, Any]:
    """Return a leg of fan-out of four seconds that costs exactly this, in microseconds."""
    frames, comments = min(rate, 10.0) * 4, rate * 4
    size = viewers * (60 * frames + 210 * comments)
    return {
        "scenario": "fanout",
        "round": 1,
        "viewers": viewers,
        "comments/s": rate,
        "posts": round(comments),
        "CPU s": (viewers * frames * write + size * byte + comments * post) / 1e6,
        "writes": viewers * frames,
        "deliveries": viewers * comments,
        "bytes": size,
        "bounded by": "",
    }


@pytest.fixture
def calibration() -> dict[str, Any]:
    """A result of `calibrate`, of known costs."""
    bounded = {"bounded by": ""}
    details = [
        leg(viewers, rate, write=8.0, byte=0.0005, post=post)
        for viewers in (100, 5000)
        for rate, post in ((8.0, 500.0), (300.0, 200.0))
    ]
    details += [
        {"scenario": "ingest", "posts/s": 8000.0, "CPU us/post": 100.0, **bounded},
        {"scenario": "joins", "CPU us/join": 40.0, "KB a viewer": 13.0, "bounded by": "viewers"},
        {
            "scenario": "idle",
            "viewers": 8000,
            "CPU %": 0.8,
            "RSS KB/viewer": 0.4,
            "RSS MB before": 100.0,
            "kernel KB/viewer, both ends": None,
            **bounded,
        },
        {"scenario": "uplink", "uplink": "without", "CPU us/message": None, **bounded},
        {"scenario": "uplink", "uplink": "full", "CPU us/message": 20.0, **bounded},
        {"scenario": "fold", "CPU us/reaction": 3.0, **bounded},
        {
            "scenario": "reading",
            "CPU us/comment": 5.0,
            "CPU us/total": 1.5,
            "RSS bytes/comment": 700.0,
        },
        {
            "scenario": "encoded",
            "total in a frame, bytes": 140.0,
            "ping, bytes": 60.0,
            "comment in the log, bytes": 340.0,
            "reaction in the log, bytes": 55.0,
            "total in the log, bytes": 110.0,
        },
    ]
    machine = {"cpu": "a CPU", "cores": 2, "commit": "abc", "time": "today"}
    result = {"scenario": "calibrate", "machine": machine, "settings": {}, "rows": []}
    return {**result, "details": details}


@pytest.fixture
def run_seconds(monkeypatch: pytest.MonkeyPatch, tools: Tools) -> str:
    """How long a checked run is measured; the tools are reused, and any core may be taken."""
    monkeypatch.setattr(run_module.shutil, "which", lambda _program: None)
    monkeypatch.setattr(run_module, "compile_tools", lambda _cache: tools)
    return "1"
