"""Children are measured, and ended for certain."""

import os
import sys
import time

import pytest

from groundswell.bench import process as process_module
from groundswell.bench.machine import CoreMeter
from groundswell.bench.native_tools import ToolFailed
from groundswell.bench.process import Process

BUSY = "print('ready', flush=True)\nwhile True: pass"
DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
while True: time.sleep(60)
"""


def python(code: str, **options) -> Process:
    """Start a Python child."""
    return Process([sys.executable, "-c", code], **options)


def test_cpu_time_of_a_busy_child_is_seen():
    """A child that never waits uses CPU, and the meter agrees with the process's own account."""
    with python(BUSY) as child:
        child.read_line(within=20)
        meter = CoreMeter(child, core=None)
        deadline = time.monotonic() + 20
        while meter.cpu_seconds() < 0.1:
            assert time.monotonic() < deadline, "no CPU was seen"
        assert 0 < meter.use().ours < 150
        assert child.cpu_seconds() >= 0.1


def test_an_idle_child_uses_next_to_nothing():
    """The same meter does not make CPU up."""
    with python("print('ready', flush=True); input(); print('done', flush=True); input()") as child:
        child.read_line(within=20)
        meter = CoreMeter(child, core=None)
        child.write_line("go on")
        child.read_line(within=20)
        assert meter.cpu_seconds() < 0.1


def test_memory_of_a_child_is_seen():
    """32 MiB that were written to are resident."""
    with python("kept = b'x' * (32 << 20); print('ready', flush=True); input()") as child:
        child.read_line(within=20)
        assert child.rss_bytes() > 32 << 20


def test_a_child_runs_on_the_core_that_it_is_given():
    """So do its threads: the mask is set before it starts."""
    core = max(os.sched_getaffinity(0))
    with python("print('ready', flush=True); input()", core=core) as child:
        child.read_line(within=20)
        assert os.sched_getaffinity(child.pid) == {core}


def test_a_child_that_ignores_sigterm_is_killed(monkeypatch):
    """Leaving the block ends it, one way or the other."""
    monkeypatch.setattr(process_module, "STOP_TIME", 0.1)
    with python(DEAF) as child:
        child.read_line(within=20)
        assert child.running()
    assert not child.running()


def test_a_child_that_ends_says_why_in_the_error():
    """The last words of its stderr are in the exception."""
    with (
        python("import sys; sys.exit('no such port')") as child,
        pytest.raises(ToolFailed, match="no such port"),
    ):
        child.read_line(within=20)


def test_a_silent_child_is_given_up():
    """A line that does not come in time is an error."""
    with python("input()") as child, pytest.raises(ToolFailed, match="said nothing"):
        child.read_line(within=0.05)
