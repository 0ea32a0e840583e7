"""Calibration, small: real scenarios, whose result tells the units."""

import json

import pytest
from click.testing import CliRunner

from groundswell.bench import run as run_module
from groundswell.bench.capacity import encoded, measure, reading
from groundswell.bench.capacity.units import UnitsUnusable, read_units
from groundswell.bench.command import bench
from groundswell.bench.native_tools import ToolFailed


def test_a_leg_of_fan_out_is_of_all_viewers_though_few_are_parsed():
    """1,000 viewers of whom ten were parsed: each got a welcome, 4 frames and 8 comments."""
    saw = {"connected": 1000, "sampled": 10, "comments": 80, "messages": 50, "welcomes": 10}
    row = {"CPU us/delivery": 2.5, "delivered %": 100.0}
    leg = measure.sent(row, {"saw": saw | {"bytes": 2_100_000}}, welcome=100)
    assert leg["writes"] == 4 * 1000
    assert leg["deliveries"] == 8 * 1000
    assert leg["CPU s"] == 8000 * 2.5 / 1e6
    assert leg["bytes"] == 2_000_000


def test_a_leg_in_which_nothing_arrived_has_no_cpu():
    """A file with it is refused, not reckoned with."""
    saw = {"connected": 1, "sampled": 1, "comments": 0, "messages": 1, "welcomes": 1, "bytes": 9}
    row = {"CPU us/delivery": None, "delivered %": 0.0}
    assert measure.sent(row, {"saw": saw}, welcome=9)["CPU s"] is None


def test_reading_costs_something_and_reads_everything():
    """In a process of its own."""
    row = reading.measure(core=None, count=2000)
    assert 0.1 < row["CPU us/comment"] < 1000
    assert 0 < row["CPU us/total"] < 1000


def test_bytes_are_those_of_the_products_encoders():
    """A comment in the log is about its JSON and its keys; a total names comment and counts."""
    row = encoded.measure()
    assert 200 < row["comment in the log, bytes"] < 800
    assert 90 < row["total in a frame, bytes"] < 200
    assert 40 < row["reaction in the log, bytes"] < 210
    assert 0 < row["ping, bytes"] < 126


def test_calibrate_writes_a_file_that_capacity_can_read(tmp_path, monkeypatch, tools, calibration):
    """The table has a row for each unit that the measurements tell."""
    monkeypatch.setattr(run_module, "compile_tools", lambda _cache: tools)
    monkeypatch.setattr(measure, "measure", lambda *_, **__: ([], calibration["details"]))
    done = CliRunner().invoke(bench, ["calibrate", "--out", str(tmp_path)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    (path,) = tmp_path.glob("calibrate-*.json")
    result = json.loads(path.read_text())
    assert {row["unit"] for row in result["rows"]} == read_units([path]).keys()
    assert result["settings"]["plane"] == "native"


def test_a_calibration_that_is_cut_keeps_its_legs_and_tells_no_units(tmp_path, monkeypatch, tools):
    """Whoever reckons with it hears why."""

    def fail():
        raise ToolFailed("it ended")

    legs = [("fold", "", lambda: [{"CPU us/reaction": 3.0}]), ("reading", "", fail)]
    monkeypatch.setattr(run_module, "compile_tools", lambda _cache: tools)
    monkeypatch.setattr(measure, "_legs", lambda *_, **__: legs)
    done = CliRunner().invoke(bench, ["calibrate", "--out", str(tmp_path)])
    assert done.exit_code == 1
    assert "not complete: reading: it ended" in done.output
    (path,) = tmp_path.glob("calibrate-*.json")
    assert json.loads(path.read_text())["details"] == [{"scenario": "fold", "CPU us/reaction": 3.0}]
    with pytest.raises(UnitsUnusable, match="it is not complete: reading: it ended"):
        read_units([path])
