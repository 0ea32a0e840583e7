"""The command: what it refuses, and how it says so."""

from pathlib import Path

import pytest

from deploy.local.cli import main
from deploy.local.plan import Plan


@pytest.mark.parametrize("command", ["status", "env", "down"])
def test_a_folder_without_a_stack_is_an_error_with_a_hint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """The hint is the command that makes one."""
    assert main([command, "--folder", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert f"error: no stack in {tmp_path}" in error
    assert "python3 -m deploy.local up" in error


def test_an_unknown_node_is_answered_with_the_known_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody has to look the names up."""
    Plan(kafka=2, cassandra=0).save(tmp_path / "stack.json")
    assert main(["kill", "kafka-3", "--folder", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert "no node is called 'kafka-3'; there are kafka-1, kafka-2, redis, postgresql" in error


def test_up_with_another_plan_than_the_folders_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three nodes are not started on the data of one."""
    Plan().save(tmp_path / "stack.json")
    assert main(["up", "--kafka", "3", "--folder", str(tmp_path)]) == 1
    assert "holds another stack than asked for" in capsys.readouterr().err


def test_env_prints_what_a_shell_can_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`eval "$(python3 -m deploy.local env)"` sets the variables."""
    Plan(kafka=0, cassandra=0, postgresql=0).save(tmp_path / "stack.json")
    assert main(["env", "--folder", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "export GROUNDSWELL_CACHE_ENGINE=redis",
        "export GROUNDSWELL_REDIS_URL=redis://127.0.0.1:16379/0",
    ]


def test_status_of_a_stack_that_is_down_shows_every_node(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A node without a process is down."""
    Plan(kafka=0, cassandra=1, postgresql=0, base_port=22_900).save(tmp_path / "stack.json")
    assert main(["status", "--folder", str(tmp_path)]) == 0
    rows = [line.split()[:2] for line in capsys.readouterr().out.splitlines()]
    assert rows == [["cassandra-1", "down"], ["redis", "down"]]


@pytest.mark.parametrize(
    "arguments", [[], ["sideways"], ["up", "--cpus", "kafka"], ["up", "--kafka", "many"], ["kill"]]
)
def test_arguments_that_make_no_sense_end_with_status_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """As every command does, with its usage."""
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert "usage: python3 -m deploy.local" in capsys.readouterr().err
