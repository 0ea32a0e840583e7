"""The plane's scenarios, small: against the limit, a naive server, and the product itself."""

import dataclasses
import json
import sqlite3
import sys
import time

import pytest
from click.testing import CliRunner

from groundswell.bench import run as run_module
from groundswell.bench import traffic
from groundswell.bench.command import bench
from groundswell.bench.native_tools import ToolFailed
from groundswell.bench.plane import (
    adverse,
    beside,
    idle,
    joins,
    many,
    memory,
    one,
    room,
    rooms,
    spike,
    storm,
    sweep,
    uplink,
    verdict,
)
from groundswell.bench.plane.meter import PlaneMeter, bounds
from groundswell.bench.process import Process
from groundswell.bench.traffic import ViewersSaw

BUSY = "print('ready', flush=True)\nwhile True: sum(range(1000))"


@pytest.fixture(autouse=True)
def _short(monkeypatch, tools, tmp_path):
    """Do not wait for a steady state that tests do not measure; reuse the compiled tools."""
    monkeypatch.setattr(room, "SETTLE_TIME", 0.05)
    monkeypatch.setattr(traffic, "PATIENCE", 20.0)  # on a busy machine
    monkeypatch.setattr(one, "GAP", 0.2)
    monkeypatch.setattr(uplink.reacting, "WARM_UP", 0.1)
    monkeypatch.setattr(sweep.fanout, "SETTLE_TIME", 0.2)
    monkeypatch.setattr(run_module, "default_cache", lambda: tmp_path)
    monkeypatch.setattr(run_module, "compile_tools", lambda _cache: tools)


def test_a_meter_names_every_process_and_the_client_that_fills_its_core():
    """A client that was started later counts from its start."""
    argv = [sys.executable, "-c", BUSY]
    with Process(argv) as server, Process(argv) as client:
        assert [one.read_line(within=20) for one in (server, client)] == ["ready", "ready"]
        meter = PlaneMeter({"server": server}, {}, server_core=None, client_core=None)
        meter.add_client("viewers", client)
        deadline = time.monotonic() + 20
        while meter.server_seconds() < 0.05:
            assert time.monotonic() < deadline, "the server's time is not counted"
            time.sleep(0.02)
        columns = meter.columns()
    assert str(columns["processes"]).startswith("server@")
    assert ", viewers@" in str(columns["processes"])


@pytest.mark.parametrize(
    ("side", "shares", "full", "expected"),
    [
        ("client", {"viewers": 93.0, "writers": 2.0}, 97.0, ["viewers"]),
        ("client", {"viewers": 60.0, "writers": 35.0}, 97.0, ["clients together"]),
        ("server", {"server": 50.0}, 97.0, ["others on the server core"]),
        ("server", {"server": 50.0}, 60.0, []),
    ],
)
def test_who_fills_a_core_bounds_the_figure(side, shares, full, expected):
    """Above 90 %, a process by its name; a crowd of small ones and strangers are told apart."""
    assert bounds(side, shares, full) == expected


def test_everybody_is_welcomed_and_the_burst_is_timed(run):
    """The limit's welcome has the size that it was told; naive brings 50 comments."""
    rows, _ = joins.measure(run, viewers=30, at_once=10, servers=["limit", "naive"], plane="native")
    assert [row["server"] for row in rows] == ["limit", "naive"]
    assert rows[0]["KB a viewer"] == joins.WELCOME_BYTES / 1000
    assert rows[1]["KB a viewer"] > room.SNAPSHOT * 0.1
    for row in rows:
        assert (row["viewers"], row["lost viewers"]) == (30, 0)
        assert 0 < row["p50 ms"] <= row["p99 ms"] <= 1000 * row["all joined s"] + 1


def test_one_comment_reaches_the_median_viewer_before_the_last(run):
    """Every comment is seen by every viewer, and has a last one."""
    rows, details = one.measure(
        run, viewers=20, comments=3, servers=["limit", "naive"], plane="native"
    )
    for row, detail in zip(rows, details, strict=True):
        assert (row["reached all"], row["lost viewers"]) == (3, 0)
        assert 0 < row["median ms"] <= row["last ms"] <= row["worst last ms"]
        assert [count for count, _, _ in detail["saw"]["each_ms"]] == [20, 20, 20]


def test_every_size_gets_about_the_same_deliveries(run):
    """A small room has more comments a second than a large one."""
    rows, _ = sweep.measure(run, sizes=(10, 20), deliveries=200, servers=["limit"], plane="native")
    assert [(row["viewers"], row["comments/s"]) for row in rows] == [(10, 20), (20, 10)]
    assert {row["delivered %"] for row in rows} == {100}


def test_the_spread_is_the_dearest_by_the_cheapest():
    """Rows of other servers, and figures too small to be measured, do not count."""
    rows = [{"server": "groundswell", "CPU us/delivery": cost} for cost in (5.0, 5.5, None)]
    rows.append({"server": "limit", "CPU us/delivery": 1.0})
    assert sweep.spread(rows, "groundswell") == pytest.approx(0.1)
    assert sweep.spread(rows, "naive") is None


def test_a_small_room_is_measured_alone_and_beside_a_large_one(run):
    """Both rooms live in one server of the product; everybody gets everything."""
    rows, details = beside.measure(run, small=3, large=20, rate=20, plane="native")
    assert [row["viewers of large"] for row in rows] == [0, 20]
    for row in rows:
        assert (row["delivered %"], row["lost viewers"]) == (100, 0)
        assert 0 < row["p50 ms"] <= row["p99 ms"]
    assert details[1]["large"]["comments"] == 6 * 20


def test_idle_viewers_are_pinged_and_stay(run, monkeypatch):
    """Who answers by itself is not closed; memory is read before and after."""
    monkeypatch.setattr(idle, "_ENV", {"GROUNDSWELL_STREAM_PING_INTERVAL": "0.1"})
    long = dataclasses.replace(run, seconds=1.5)  # the plane looks at its deadlines once a second
    rows, _ = idle.measure(long, viewers=10, plane="native")
    (row,) = rows
    assert row["pings"] >= 10
    assert (row["viewers"], row["lost viewers"]) == (10, 0)
    assert row["RSS MB after"] >= 10


def test_totals_of_the_uplink_are_compared_with_the_answers(run):
    """Everything that was acknowledged stands in the store, exactly."""
    rows, details = uplink.measure(run, sockets=8, viewers=3, window=2, plane="native")
    assert [row["uplink"] for row in rows] == ["without", "full"]
    assert str(rows[1]["totals"]).startswith("exact")
    assert details[1]["reactors"]["acked"] > 8
    assert (rows[1]["sockets"], rows[1]["lost viewers"]) == (8, 0)


def test_totals_are_read_out_of_the_store_itself(tmp_path):
    """Counts are arrays in the order of the reactions; zeros are left out."""
    store = sqlite3.connect(tmp_path / uplink.STORE)
    store.execute("CREATE TABLE totals (comment_id TEXT, counts TEXT)")
    store.execute("INSERT INTO totals VALUES ('a', '[2,0,1]'), ('b', '[0]')")
    store.commit()
    store.close()
    assert uplink.read_totals(tmp_path) == {("a", 1): 2, ("a", 3): 1}


def saw(*each: tuple[int, float, float], viewers: int) -> ViewersSaw:
    """Return what a client says of so many viewers and these comments."""
    return ViewersSaw(
        viewers=viewers,
        connected=viewers,
        closed=0,
        sampled=viewers,
        comments=sum(count for count, _, _ in each),
        messages=0,
        welcomes=0,
        pings=0,
        errors=0,
        bytes=0,
        sampled_bytes=0,
        viewer_bytes_min=0,
        viewer_bytes_max=0,
        seconds=1.0,
        active_seconds=1.0,
        cpu_seconds=0.1,
        latency_ms=None,
        each_ms=list(each),
    )


def test_idle_viewers_are_weighed_with_addresses_and_tokens_of_their_own(run, monkeypatch):
    """Nobody is lost, and all are known to have left before the next crowd comes."""
    monkeypatch.setattr(memory, "CROWDS", {"addresses and tokens": (True, True)})
    rows, _ = memory.measure(run, viewers=5, plane="native")
    (row,) = rows
    assert (row["viewers with their own"], row["viewers"]) == ("addresses and tokens", 5)


def test_readers_are_measured_beside_each_kind_of_other_viewers(run, monkeypatch):
    """Those who read get everything whatever the others do; SSE viewers get everything too."""
    kinds = {name: adverse.KINDS[name] for name in ("flapping", "SSE")}
    monkeypatch.setattr(adverse, "KINDS", kinds)
    rows, details = adverse.measure(run, viewers=4, others=3, rate=20, plane="native")
    assert [row["beside them"] for row in rows] == ["3 flapping", "3 SSE"]
    assert {row["errors"] for row in rows} == {""}
    assert rows[-1]["SSE errors"] == ""
    assert details[-1]["others"]["comments"] > 0


def test_a_storm_ends_when_all_are_back_and_complete(run):
    """Everybody resumes; nothing is missing or doubled at the end."""
    long = dataclasses.replace(run, seconds=1.5)
    rows, _ = storm.measure(long, viewers=10, at_once=5, rate=20, plane="native")
    (row,) = rows
    assert (row["complete"], row["recovered"], row["errors"]) == (10, 10, "")
    assert 0 < row["back s"] <= row["complete s"] + 1e-3


def test_a_spike_has_the_comments_of_its_formula(run):
    """All that was accepted reaches everybody."""
    rows, details = spike.measure(run, viewers=5, rate=10, peak=200, rise=0.2, plane="native")
    (row,) = rows
    assert row["comments"] == 41  # 21 while it climbs, 20 in the 0.1 s behind
    assert (row["not 2xx"], row["errors"]) == (0, "")
    assert details[0]["writers"]["ok"] > 0


def test_rooms_are_watched_and_written_to_in_turn(run):
    """Ten viewers of three rooms get the comments of their own, and of no other."""
    rows, details = rooms.measure(run, rooms=3, viewers=10, rate=30, plane="native")
    (row,) = rows
    assert (row["rooms"], row["viewers"], row["errors"]) == (3, 10, "")
    assert details[0]["saw"]["comments"] > 0


def test_many_viewers_have_all_got_a_comment_when_every_client_counted_all_of_its_own():
    """The last viewer is the last of all clients; one that is missing, or late, is told."""
    one_client = saw((5, 10.0, 20.0), (5, 11.0, 21.0), viewers=5)
    both = many._received(
        [one_client, saw((3, 12.0, 40.0), (3, 12.0, 30.0), viewers=3)], viewers=8, comments=2
    )
    assert (both["reached all"], both["last ms"], both["all within 3 s"]) == (2, 40.0, "yes")
    missing = many._received(
        [one_client, saw((3, 12.0, 40.0), (2, 12.0, 30.0), viewers=3)], viewers=8, comments=2
    )
    assert (missing["reached all"], missing["all within 3 s"]) == (1, "NO")
    late = many._received(
        [one_client, saw((3, 12.0, 3001.0), (3, 1.0, 2.0), viewers=3)], viewers=8, comments=2
    )
    assert (late["reached all"], late["all within 3 s"]) == (2, "NO")


def test_workers_hold_what_a_process_may_have_open():
    """150,000 viewers need ten workers; more than fit is a usage error, and starts nothing."""
    assert many.workers_for(150_000) == 10
    arguments = ["many", "--viewers", "100000", "--workers", "2"]
    assert CliRunner().invoke(bench, arguments).exit_code == 2


def test_targets_are_held_against_the_rows_of_the_product():
    """A figure below a limit that it must reach is missed; what was not measured is neither."""
    measured = {
        "joins": [
            {"server": "limit", "CPU us/join": 10.0, "bounded by": "viewers"},
            {"server": "groundswell", "CPU us/join": 46.0, "bounded by": "server"},
        ],
        "beside": [
            {"small room": "alone", "p99 ms": 8.0, "bounded by": ""},
            {"small room": "beside the large one", "p99 ms": 17.0, "bounded by": "viewers"},
        ],
        "one": [
            {"server": "limit", "median ms": 10.0, "last ms": 20.0, "bounded by": ""},
            {"server": "groundswell", "median ms": 12.0, "last ms": 40.0, "bounded by": ""},
        ],
        "uplink": [
            {"uplink": "full", "per s of a full core": 120_000.0, "totals": "exact"}
            | {"bounded by": ""}
        ],
    }
    rows = {str(check.what): check.row() for check in verdict.checks(measured)}
    assert rows["joins: CPU us a join"]["met"] == "NO"
    assert rows["joins: CPU us a join"]["bounded by"] == "server"
    assert rows["beside: p99 ms (alone 8)"]["target"] == "<= 18"
    assert rows["beside: p99 ms (alone 8)"]["met"] == "yes"
    assert rows["one: median viewer, by the C loop"]["met"] == "yes"
    assert rows["one: last viewer, by the C loop"]["met"] == "NO"
    assert rows["uplink: messages/s of a full core"]["met"] == "yes"
    assert rows["idle: CPU %"]["met"] is None


def test_totals_that_are_not_exact_are_told_beside_the_rate():
    """A rate of wrong answers is no rate."""
    row = {"uplink": "full", "per s of a full core": 1.0, "totals": "WRONG: 1 missing"}
    (check,) = verdict._uplink([{**row, "bounded by": ""}])
    assert "WRONG" in check.what


def test_plane_runs_what_it_can_and_says_what_failed(tmp_path, monkeypatch):
    """A scenario that cannot run is no reason to lose the figures of the others."""

    def broken(*_arguments, **_options):
        raise ToolFailed("nothing works today")

    for scenario in (idle, uplink, beside, one, sweep):
        monkeypatch.setattr(scenario, "measure", broken)
    monkeypatch.setattr(joins, "SERVERS", ("limit",))
    arguments = ["plane", "--scale", "0.002", "--out", str(tmp_path / "results")]
    done = CliRunner().invoke(bench, arguments)
    assert done.exit_code == 1
    assert "idle: nothing works today; uplink" in done.output
    (path,) = (tmp_path / "results").glob("plane-*.json")
    report = json.loads(path.read_text())
    assert report["details"][0]["viewers"] == 30
    assert all(row["met"] is None for row in report["rows"])
