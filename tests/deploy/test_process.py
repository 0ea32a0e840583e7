"""Pid files: a signal reaches the process that was meant, or nobody."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.local.process import Process, is_free, spawn
from deploy.local.waiting import wait_until

PATIENCE = 10.0  # seconds
SLEEPER = [sys.executable, "-c", "import signal; signal.pause()"]


@pytest.fixture
def sleeper() -> Iterator[Process]:
    """Run a process that does nothing."""
    with subprocess.Popen(SLEEPER) as child:
        process = Process.of(child.pid)
        assert process is not None
        yield process
        child.kill()


def test_a_pid_file_leads_back_to_its_process(tmp_path: Path, sleeper: Process) -> None:
    """What was saved is found again as long as the process lives."""
    sleeper.save(tmp_path / "pid")
    assert Process.load(tmp_path / "pid") == sleeper
    assert [file.name for file in tmp_path.iterdir()] == ["pid"]


@pytest.mark.parametrize("stranger", ["started", "boot"])
def test_a_stranger_with_the_same_pid_gets_no_signal(sleeper: Process, stranger: str) -> None:
    """Another start time or another boot is another process."""
    if stranger == "started":
        ours = replace(sleeper, started=sleeper.started - 1)
    else:
        ours = replace(sleeper, boot="of yesterday")
    assert not ours.send(signal.SIGKILL)
    assert not ours.is_alive()
    assert sleeper.is_alive()


def test_a_pid_file_of_a_stranger_reads_as_nobody(tmp_path: Path, sleeper: Process) -> None:
    """A node whose pid has been given away does not run."""
    replace(sleeper, started=sleeper.started - 1).save(tmp_path / "pid")
    assert Process.load(tmp_path / "pid") is None


@pytest.mark.parametrize("text", ["", "{", "4711", '{"pid": 1}', '{"pid": 1, "other": 2}'])
def test_a_torn_pid_file_reads_as_nobody(tmp_path: Path, text: str) -> None:
    """A crash while it was written does no harm."""
    (tmp_path / "pid").write_text(text)
    assert Process.load(tmp_path / "pid") is None


def test_a_spawned_process_writes_its_log_and_ends_by_signal(tmp_path: Path) -> None:
    """Its output goes to the file, and once it is gone it is seen as gone."""
    log = tmp_path / "log"
    code = "import signal, sys; print('ready', flush=True); signal.pause()"
    process = spawn([sys.executable, "-c", code], log=log, environment=dict(os.environ))
    assert wait_until(lambda: log.read_text() == "ready\n", seconds=PATIENCE)
    assert os.getsid(process.pid) == process.pid
    assert process.memory() > 0
    assert process.send(signal.SIGKILL)
    assert wait_until(lambda: not process.is_alive(), seconds=PATIENCE)
    assert not process.send(signal.SIGKILL)


def test_a_program_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """The caller hears of it at once."""
    with pytest.raises(FileNotFoundError):
        spawn(["/nonexistent/program"], log=tmp_path / "log", environment={})


def test_a_stopped_process_is_paused(sleeper: Process) -> None:
    """SIGSTOP and SIGCONT show in its state."""
    assert not sleeper.is_paused()
    sleeper.send(signal.SIGSTOP)
    assert wait_until(sleeper.is_paused, seconds=PATIENCE)
    sleeper.send(signal.SIGCONT)
    assert wait_until(lambda: not sleeper.is_paused(), seconds=PATIENCE)


def test_a_port_that_somebody_listens_on_is_not_free(free_port: int) -> None:
    """An engine is not started where another would answer for it."""
    assert is_free("127.0.0.1", free_port)
    with socket.create_server(("127.0.0.1", free_port)):
        assert not is_free("127.0.0.1", free_port)
