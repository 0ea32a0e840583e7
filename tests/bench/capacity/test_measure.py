"""Calibration, small: real scenarios, whose result tells the units."""

import json

from click.testing import CliRunner

from groundswell.bench import run as run_module
from groundswell.bench.capacity import encoded, measure, reading
from groundswell.bench.capacity.units import read_units
from groundswell.bench.command import bench
from groundswell.bench.plane import room


def test_a_leg_of_fan_out_counts_writes_bytes_and_posts(run):
    """A comment a frame where ticks are shorter than the gaps; every viewer gets each."""
    with room.groundswell(run, "native", measure.tick_env(0.02)) as server:
        leg = measure.fanout_leg(run, server, viewers=10, rate=20)
    assert leg["posts"] == 6
    assert leg["deliveries"] == 6 * 10
    assert leg["writes"] >= 10
    assert 100 < leg["bytes"] / leg["deliveries"] < 1000
    assert leg["RSS after"] > 0


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
    monkeypatch.setattr(measure, "measure", lambda *_, **__: calibration["details"])
    done = CliRunner().invoke(bench, ["calibrate", "--out", str(tmp_path)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    (path,) = tmp_path.glob("calibrate-*.json")
    result = json.loads(path.read_text())
    assert {row["unit"] for row in result["rows"]} == read_units([path]).keys()
    assert result["settings"]["plane"] == "native"
