"""Scenarios of the durable path, small; on the engines that the environment names."""

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from groundswell.bench import durable_log
from groundswell.bench import run as run_module
from groundswell.bench.command import bench
from groundswell.bench.native_tools import Tools
from groundswell.contract.clock import SystemClock
from groundswell.contract.events import decode_event, encode
from groundswell.contract.ids import CommentIds


def test_a_comment_in_the_log_is_what_the_gate_would_have_written():
    """200 bytes of public JSON with the brief's fields, and an id of ours."""
    ids = CommentIds(bytes(32), now_ms=SystemClock().wall_ms)
    event = decode_event(encode(durable_log._comment(ids, "video-3", 123_456)))
    assert len(event.public_json) == durable_log.COMMENT_BYTES
    public = json.loads(event.public_json)
    assert public.keys() == {"commentID", "userID", "commentText", "timestamp"}
    assert (public["commentID"], public["userID"]) == (event.comment_id, event.user_id)
    assert ids.issued("video-3", event.comment_id)


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch, tools: Tools, tmp_path: Path) -> None:
    """The engines of the environment; skips where it names none."""
    if not os.environ.get("GROUNDSWELL_CASSANDRA_HOSTS"):
        pytest.skip("GROUNDSWELL_CASSANDRA_HOSTS is not set; `make test-stack` sets it")
    monkeypatch.setattr(run_module, "default_cache", lambda: tmp_path)
    monkeypatch.setattr(run_module, "compile_tools", lambda _cache: tools)


def done(tmp_path: Path, *arguments: str) -> Result:
    """Run a scenario."""
    return CliRunner().invoke(bench, [*arguments, "--out", str(tmp_path)], catch_exceptions=False)


def report_of(tmp_path: Path, scenario: str) -> dict[str, list[dict[str, object]]]:
    (path,) = tmp_path.glob(f"{scenario}-*.json")
    report: dict[str, list[dict[str, object]]] = json.loads(path.read_text())
    return report


@pytest.mark.stack
@pytest.mark.usefixtures("engines")
def test_persist_and_the_driver_write_the_same_rows(tmp_path: Path):
    """The scenario itself compares what is stored with what was put into the log."""
    result = done(tmp_path, "cluster-persist", "--comments", "2000", "--rounds", "1")
    assert result.exit_code == 0, result.output
    rows = report_of(tmp_path, "cluster-persist")["rows"]
    assert [row["writer"] for row in rows] == ["driver", "persist"]
    assert all(float(str(row["rows/s"])) > 0 for row in rows)


@pytest.mark.stack
@pytest.mark.usefixtures("engines")
def test_the_tally_counts_exactly_from_an_empty_store_and_from_a_full_one(tmp_path: Path):
    """Exit status 0 says that rows and totals are the model's."""
    result = done(tmp_path, "cluster-tally", "--reactions", "3000")
    assert result.exit_code == 0, result.output
    report = report_of(tmp_path, "cluster-tally")
    assert [row["leg"] for row in report["rows"]] == [
        "fold alone",
        "empty store",
        "rows in the store",
    ]
    assert float(str(report["details"][0]["rows that stand"])) > 4000


@pytest.mark.stack
@pytest.mark.usefixtures("engines")
@pytest.mark.timeout(300)
def test_a_small_event_leaves_nothing_lost_doubled_or_out_of_order(tmp_path: Path):
    """With a rebalance, a spike and many full buckets; exit status 1 would name what is wrong."""
    size = ["--seconds", "10", "--comments", "30", "--reactions", "100", "--spike", "100"]
    size += ["--spike-seconds", "1", "--viewers", "2", "--bucket-bits", "5"]
    result = done(tmp_path, "event", *size)
    assert result.exit_code == 0, result.output
    figures = {row["what"]: row["figure"] for row in report_of(tmp_path, "event")["rows"]}
    assert figures["comments acknowledged"] == figures["rows of comments"] == 300 + 9 + 100
    assert int(str(figures["buckets that are full"])) >= 8
