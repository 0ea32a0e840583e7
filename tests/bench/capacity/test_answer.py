"""The command, as it is typed."""

import inspect
import json
import re

import pytest
from click.testing import CliRunner

from groundswell.bench.capacity import check as checking
from groundswell.bench.capacity.model import Event
from groundswell.bench.capacity.sizing import Headroom, Node
from groundswell.cli import cli

THE_EVENT = ["--viewers", "10M", "--comments", "16666", "--reactions", "166k"]


def run(*arguments: str):
    """Run `groundswell capacity` in this process."""
    return CliRunner().invoke(cli, ["capacity", *arguments])


@pytest.fixture
def unit_file(calibration, tmp_path):
    """A result file of `calibrate`."""
    file = tmp_path / "calibrate.json"
    file.write_text(json.dumps(calibration))
    return str(file)


def test_an_event_is_planned_out_of_the_box():
    """With the costs of the reference machine, which are named."""
    done = run(*THE_EVENT, "--display-rate", "20")
    assert done.exit_code == 0, done.output
    for said in ("| broker ", "| Cassandra ", "Assumed:", "Not measured", "commit"):
        assert said in done.output


def test_ones_own_units_are_taken_instead(unit_file):
    """Given by file; the plan says so."""
    done = run(*THE_EVENT, "--units", unit_file, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.output)
    assert found["units"]["join"]["value"] == 40
    assert found["sources"][0].startswith("calibrate.json: calibrate of today")
    assert found["event"]["viewers"] == 10e6


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--comments", "5"], "Missing option '--viewers'"),
        (["--viewers", "ten", "--comments", "5"], "'ten' is not a number with a unit"),
        (["--viewers", "5", "--comments", "5", "--node-memory", "64"], "unit 'none'"),
        (["--viewers", "0", "--comments", "5"], "--viewers is above 0"),
        (["--viewers", "5", "--comments", "5", "--tick", "0"], "--tick"),
        (["--viewers", "1M", "--comments", "5", "--check"], "at most 19,000 viewers"),
        (["--viewers", "5", "--comments", "0", "--check"], "posts 1 to 2,000"),
        (["--viewers", "5", "--comments", "5", "--units", "nowhere.json"], "does not exist"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(arguments, said):
    """In one line that says why, and no traceback."""
    done = run(*arguments)
    assert done.exit_code == 2
    assert said in done.output
    assert "Traceback" not in done.output


def test_a_file_that_tells_nothing_is_refused_with_what_to_do(tmp_path):
    """It was asked rightly and does not work: status 1."""
    file = tmp_path / "other.json"
    file.write_text("{}")
    done = run(*THE_EVENT, "--units", str(file))
    assert done.exit_code == 1
    assert "other.json is not a result of the bench" in done.output
    assert "hint: groundswell bench calibrate" in done.output


def test_help_shows_the_defaults_of_the_model():
    """They are written twice so that `--help` loads nothing; here they are held together."""
    shown = dict(re.findall(r"(--[a-z-]+) [^\[]*\[default:\s+(\S+?)[;\]]", run("--help").output))
    event = inspect.signature(Event).parameters
    assert float(shown["--tick"]) == event["tick"].default
    assert float(shown["--reacted"]) == event["reacted"].default
    assert float(shown["--arrival"]) == event["arrival"].default
    assert float(shown["--busy"]) / 100 == Headroom().busy == Headroom().network
    assert int(shown["--spare"]) == Headroom().spare
    assert float(shown["--node-cores"]) == Node().cores
    assert (shown["--node-memory"], shown["--node-bandwidth"]) == ("64GiB", "25Gbit")
    assert (Node().memory, Node().bandwidth) == (64 * 2**30, 25e9 / 8)


@pytest.mark.stack
@pytest.mark.timeout(300)
def test_a_check_predicts_runs_and_compares(unit_file, monkeypatch, run_seconds):
    """The prediction stands before the run; each figure has its error."""
    monkeypatch.setattr(checking, "WARM", 0.5)
    monkeypatch.setattr(checking, "AFTER", 1.0)
    arguments = ["--viewers", "20", "--comments", "40", "--display-rate", "0", "--tick", "0.1"]
    done = run(*arguments, "--check", "--seconds", run_seconds, "--units", unit_file)
    assert done.exit_code == 0, done.output
    before, _, after = done.output.partition("The run ...")
    assert "predicted" in before
    assert "measured" not in before
    for figure in ("CPU, % of a core", "frames/s to a viewer", "MB/s sent", "RSS MB"):
        assert f"| {figure} " in after
    assert "error %" in after
    assert "load average" in after


def test_a_check_as_data_has_the_event_the_rows_and_the_run(unit_file, monkeypatch, run_seconds):
    """Numbers of the run beside those of the model."""
    measured = checking.Measured(
        figures=checking.Figures(cpu=0.2, frames=4, bytes=1e6, rss=1e8),
        cpu_for_frames=0.19,
        viewers=10,
        posted=20,
        others=3,
        load=0.5,
        bounded_by="",
    )
    monkeypatch.setattr(checking, "measure", lambda *_: measured)
    arguments = ["--viewers", "10", "--comments", "20", "--check", "--json"]
    done = run(*arguments, "--seconds", run_seconds, "--units", unit_file)
    assert done.exit_code == 0, done.output
    found = json.loads(done.output)
    assert found["event"]["viewers"] == found["run"]["viewers"] == 10
    assert found["rows"][0]["measured"] == 20
    assert found["rows"][-1]["what"].endswith("for the frames sent")
