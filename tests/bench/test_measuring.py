"""A run that is cut keeps what it had measured, says so, and ends with status 1."""

import errno
import json
import os
import signal
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from groundswell.bench import fanout
from groundswell.bench import run as run_module
from groundswell.bench.command import bench
from groundswell.bench.measuring import measuring
from groundswell.bench.native_tools import ToolFailed
from tests.bench import shapes


def run_that(tmp_path, error=None):
    """Measure one leg, then fail at the second."""

    @click.command()
    @click.option("--rates")
    @click.option("--viewers", type=int, default=5)
    def scenario(rates, viewers):
        with measuring("fanout", tmp_path / "out", {"viewers": viewers}) as going:
            rows, details = going.journal.start(legs=2)
            going.journal.begin("limit")
            rows.append(shapes.fanout_row("limit", 1.0))
            details.append({"behind": "it"})
            going.journal.begin("groundswell")
            if error is not None:
                raise error

    return CliRunner().invoke(scenario, ["--rates", "1,10"])


def written(tmp_path):
    (path,) = (tmp_path / "out").glob("*.json")
    return json.loads(path.read_text())


def test_a_whole_run_is_complete_and_names_its_command(tmp_path):
    """With the options that it was given, and not those that it was not."""
    done = run_that(tmp_path)
    assert done.exit_code == 0, done.output
    result = written(tmp_path)
    assert (result["complete"], result["reason"]) == (True, None)
    assert result["command"] == "groundswell bench scenario --rates 1,10"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ToolFailed("groundswell ended with -9"), "groundswell: groundswell ended with -9"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (KeyboardInterrupt(), "groundswell: interrupted"),
        (SystemExit(143), "groundswell: interrupted"),
    ],
)
def test_a_cut_run_keeps_its_rows_and_says_why(tmp_path, error, reason):
    """A server that died, a full disk, Ctrl-C and SIGTERM."""
    done = run_that(tmp_path, error)
    assert done.exit_code == 1
    assert "| limit " in done.output
    assert "not complete: groundswell: " in done.output
    result = written(tmp_path)
    assert not result["complete"]
    assert reason in result["reason"]
    assert [row["server"] for row in result["rows"]] == ["limit"]
    assert result["details"] == [{"behind": "it"}]


def test_a_bug_of_ours_is_no_reason_to_lose_rows(tmp_path):
    """It is raised as it was, when they are safe."""
    done = run_that(tmp_path, KeyError("oops"))
    assert isinstance(done.exception, KeyError)
    assert written(tmp_path)["reason"] == "groundswell: KeyError: 'oops'"


def test_a_run_that_measured_nothing_writes_nothing(tmp_path):
    """There is only the error."""
    with (
        pytest.raises(click.ClickException, match=r"^nothing works$"),
        measuring("fanout", tmp_path / "out", {}),
    ):
        raise ToolFailed("nothing works")
    assert not (tmp_path / "out").exists()


def test_a_server_that_is_skipped_is_told_and_kept_with_its_reason(tmp_path, capsys):
    """The others are measured; the run is complete."""
    with measuring("fanout", tmp_path / "out", {}) as going:
        going.journal.skipped["nchan"] = "it is not installed"
        going.journal.start(legs=1)[0].append(shapes.fanout_row("limit", 1.0))
    assert "nchan is skipped: it is not installed" in capsys.readouterr().out
    assert written(tmp_path)["skipped"] == {"nchan": "it is not installed"}
    assert written(tmp_path)["complete"]


def test_a_run_whose_servers_are_all_skipped_fails_with_the_reasons(tmp_path):
    """There is nothing to write."""
    with (
        pytest.raises(click.ClickException, match="nchan is skipped: it is not installed"),
        measuring("fanout", tmp_path / "out", {}) as going,
    ):
        going.journal.skipped["nchan"] = "it is not installed"
    assert not (tmp_path / "out").exists()


def test_a_result_that_cannot_be_written_is_still_printed(tmp_path):
    """The folder may be a file, or the disk full."""
    (tmp_path / "out").write_text("")
    done = run_that(tmp_path)
    assert done.exit_code == 1
    assert "| limit " in done.output


def test_a_server_that_is_killed_costs_no_more_than_its_own_leg(tmp_path, monkeypatch, tools):
    """The real tools, and a real process that is gone."""
    measure = fanout.measure_server

    def measure_or_kill(run, server, **options):
        if server.name == "naive":
            os.kill(server.process.pid, signal.SIGKILL)
            os.waitid(os.P_PID, server.process.pid, os.WEXITED | os.WNOWAIT)
        return measure(run, server, **options)

    monkeypatch.setattr(fanout, "measure_server", measure_or_kill)
    monkeypatch.setattr(fanout, "SETTLE_TIME", 0.1)
    monkeypatch.setattr(run_module, "compile_tools", lambda _cache: tools)
    arguments = ["fanout", "--viewers", "3", "--rates", "20", "--seconds", "0.2"]
    arguments += ["--servers", "limit,naive", "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(bench, arguments)
    assert done.exit_code == 1
    assert "not complete: naive, 20 comments/s: " in done.output
    result = written(tmp_path)
    assert [row["server"] for row in result["rows"]] == ["limit"]
    assert not result["complete"]


def test_ending_a_real_run_from_outside_keeps_its_first_leg(tmp_path):
    """SIGTERM in the second leg of two, which here takes as long as it takes to end it."""
    program = (
        "import sys, time\nfrom groundswell.bench import fanout\nfrom groundswell.cli import cli\n"
        "measure, measured = fanout.measure_server, []\n"
        "def once(*arguments, **options):\n"
        "    while measured: time.sleep(0.02)\n"
        "    measured.append(measure(*arguments, **options))\n"
        "    return measured[0]\n"
        "fanout.measure_server = once\n"
        "cli.main(['bench', *sys.argv[1:]])"
    )
    command = [sys.executable, "-c", program, "fanout", "--viewers", "5", "--seconds", "0.5"]
    command += ["--rates", "20,21", "--servers", "limit"]
    with subprocess.Popen(
        [*command, "--out", str(tmp_path / "out")], stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("fanout 2/2"):
                break
        process.send_signal(signal.SIGTERM)
        rest = process.stderr.read()
        assert process.wait(60) == 1, rest
    assert "not complete: limit, 21 comments/s: interrupted" in rest
    result = written(tmp_path)
    assert [row["comments/s"] for row in result["rows"]] == [20]
    assert not result["complete"]


def test_a_library_that_is_not_installed_is_named_with_its_extra():
    """The list of all commands, and those that do not need it, work without it."""
    program = (
        "import sys; sys.modules.update(rich=None, redis=None)\n"
        "from groundswell.cli import cli; cli.main(['bench', *sys.argv[1:]])"
    )

    def bench(*arguments):
        command = [sys.executable, "-c", program, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    done = bench("fanout", "--viewers", "7")
    assert done.returncode == 1
    assert "rich is not installed: pip install 'groundswell[bench]'" in done.stderr
    assert bench("--help").returncode == 0
    assert bench("report", "--help").returncode == 0
