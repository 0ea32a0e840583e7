"""Whole scenarios, small: the real tools against the real limit and peers."""

import dataclasses
import inspect
import json
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from groundswell.bench import fanout, ingest, targets
from groundswell.bench import run as run_module
from groundswell.bench.command import bench
from groundswell.bench.page import words
from groundswell.bench.scenarios import SCENARIOS


@pytest.fixture(autouse=True)
def _short(monkeypatch, tools, tmp_path):
    """Do not wait for a steady state that tests do not measure; reuse the compiled tools."""
    monkeypatch.setattr(fanout, "SETTLE_TIME", 0.2)
    monkeypatch.setattr(ingest, "WARM_UP", 0.1)
    monkeypatch.setattr(run_module, "default_cache", lambda: tmp_path)
    monkeypatch.setattr(run_module, "compile_tools", lambda _cache: tools)


def test_limit_and_naive_deliver_every_comment_to_every_viewer(run):
    """Both report the same deliveries, with CPU, latency and memory."""
    run = dataclasses.replace(run, seconds=1.0)  # CPU is counted in ticks of 10 ms
    rows, details = fanout.measure(
        run, viewers=20, rates=[50], servers=["limit", "naive"], tick_ms=20, plane="asyncio"
    )
    assert [row["server"] for row in rows] == ["limit", "naive"]
    for row in rows:
        assert row["delivered %"] == 100
        assert (row["viewers"], row["lost viewers"]) == (20, 0)
        assert row["deliveries/s"] == pytest.approx(20 * 50, rel=0.35)
        assert 0 < row["p50 ms"] <= row["p99 ms"]
    assert rows[1]["server busy %"] > 0
    assert rows[1]["CPU us/delivery"] > 0
    assert details[1]["writers"]["ok"] == 50


def test_the_bare_handler_is_measured_with_closed_loop_writers(run):
    """Every post is answered 201; there is no lag to tell of."""
    with targets.peer("bare_post", core=None) as server:
        row, detail = ingest.measure_server(run, server)
    assert row["posts/s"] > 0
    assert (row["not 2xx"], row["lag end"]) == (0, None)
    assert row["server busy %"] > 0
    assert set(detail["writers"]["statuses"]) == {"201"}


def test_lag_is_followed_until_persist_has_everything(monkeypatch):
    """The series ends with the first zero; the figures under load are apart from it."""
    lags = iter([10.0, 50.0, None, 20.0, 0.0, 7.0])
    monkeypatch.setattr(ingest, "persist_lag", lambda _port: next(lags))
    series = ingest.LagSeries(1)
    series.sample()
    series.sample()
    series.drain()
    assert series.columns() | {"drained s": None} == {
        "lag start": 10,
        "lag max": 50,
        "lag end": 50,
        "drained s": None,
    }
    assert series.after == [20, 0]
    assert series.drain_s is not None


def test_lag_that_does_not_go_away_is_not_waited_for_for_ever(monkeypatch):
    """After DRAIN_TIME the report says that it was not drained."""
    monkeypatch.setattr(ingest, "persist_lag", lambda _port: 5.0)
    monkeypatch.setattr(ingest, "DRAIN_TIME", 0.0)
    series = ingest.LagSeries(1)
    series.sample()
    series.drain()
    assert series.drain_s is None


def test_a_server_without_the_gauge_is_not_waited_for(monkeypatch):
    """No lag is told: no drain time is made up."""
    monkeypatch.setattr(ingest, "persist_lag", lambda _port: None)
    series = ingest.LagSeries(1)
    series.sample()
    series.drain()
    assert set(series.columns().values()) == {None}


def test_ratio_compares_the_medians():
    """One odd round does not decide."""
    rates = [("bare_post", 100.0), ("groundswell", 40.0), ("bare_post", 100.0)]
    rates += [("groundswell", 50.0), ("bare_post", 10.0), ("groundswell", 60.0)]
    rows = [{"server": server, "posts/s": rate} for server, rate in rates]
    assert ingest.ratio(rows) == 0.5
    assert ingest.ratio([row | {"CPU us/post": 7.0} for row in rows], "CPU us/post") == 1


def test_the_command_prints_a_table_and_writes_what_it_measured(tmp_path):
    """The JSON file names machine, commit and settings beside the figures."""
    arguments = ["fanout", "--servers", "limit", "--viewers", "10", "--rates", "20"]
    arguments += ["--seconds", "0.3", "--out", str(tmp_path / "results")]
    done = CliRunner().invoke(bench, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "| limit " in done.output
    (path,) = (tmp_path / "results").glob("fanout-*.json")
    report = json.loads(path.read_text())
    assert report["settings"]["viewers"] == 10
    assert {"cpu", "cores", "versions", "commit", "python"} <= report["machine"].keys()
    assert report["rows"][0]["delivered %"] == 100
    assert report["details"][0]["saw"]["comments"] == 6 * 10


@pytest.mark.parametrize(
    "arguments", [["--rates", "1,x"], ["--rates", "0"], ["--servers", "limit,other"]]
)
def test_a_setting_that_makes_no_sense_starts_nothing(arguments):
    """It is refused as a usage error."""
    assert CliRunner().invoke(bench, ["fanout", *arguments]).exit_code == 2


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_command_asks_for_exactly_what_its_scenario_takes(scenario):
    """The table is all there is: no option without an effect, and none that is missing."""
    takes = set(inspect.signature(scenario.module.measure).parameters) - {"run"}
    command = bench.get_command(click.Context(bench), scenario.name)
    asked = {parameter.name for parameter in command.params}
    assert takes == asked - {"seconds", "out", "centrifugo"}
    assert ("seconds" in asked) == (scenario.seconds is not None)


def test_every_scenario_has_a_title_and_a_place_on_the_page():
    """What the table has and the page does not know would come last, without a word about it."""
    assert {scenario.name for scenario in SCENARIOS} <= words.SCENARIOS.keys()


def test_a_scenario_loads_no_other_and_the_group_loads_none():
    """The table itself costs nothing: a module is imported when its command is named."""
    program = (
        "import sys\nfrom groundswell.bench.command import bench\n"
        "def loaded():\n"
        "    return [name for name in sys.modules if name.startswith('groundswell.bench.plane.')]\n"
        "assert not loaded(), loaded()\n"
        "try: bench.main(['fanout', '--help'])\nexcept SystemExit as end: assert not end.code\n"
        "assert not loaded(), loaded()"
    )
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)


def test_several_numbers_are_given_with_commas_between_them(tmp_path):
    """Each is held against the bounds, and measured in turn."""
    arguments = ["sweep", "--servers", "limit", "--sizes", "5,10", "--deliveries", "100"]
    arguments += ["--seconds", "0.2", "--out", str(tmp_path)]
    done = CliRunner().invoke(bench, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert CliRunner().invoke(bench, [*arguments, "--sizes", "5,0"]).exit_code == 2
