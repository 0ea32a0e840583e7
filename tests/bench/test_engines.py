"""Engines are found by who listens, and their CPU is that of all their processes."""

import os
import socket
import sys
import time

import pytest

from groundswell.bench.engines import Engine, allowed_cores, engines_of_environment
from groundswell.bench.native_tools import ToolFailed
from groundswell.bench.process import Process

# A parent that does nothing and a child that uses CPU for as long as it has this parent.
BUSY_CHILD = """\
import os, sys
parent = os.getpid()
if os.fork() == 0:
    while os.getppid() == parent:
        sum(range(1000))
    os._exit(0)
print("ready", flush=True)
sys.stdin.read()
"""
VARIABLES = {
    "GROUNDSWELL_KAFKA_SERVERS": "127.0.0.1:{port},127.0.0.1:{port}",
    "GROUNDSWELL_CASSANDRA_HOSTS": "127.0.0.1",
    "GROUNDSWELL_CASSANDRA_PORT": "{port}",
    "GROUNDSWELL_ACCOUNTS_URL": "postgresql://u:p@127.0.0.1:{port}/d",
    "GROUNDSWELL_REDIS_URL": "redis://127.0.0.1:{port}/0",
}


def test_an_engine_is_whoever_listens_on_its_port(monkeypatch):
    """One process is named once, however many of its ports are given."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        for name, value in VARIABLES.items():
            monkeypatch.setenv(name, value.format(port=listener.getsockname()[1]))
        engines = engines_of_environment()
    assert list(engines) == ["kafka", "cassandra", "postgresql", "redis"]
    assert {engine.pids for engine in engines.values()} == {(os.getpid(),)}
    assert engines["redis"].cores() == allowed_cores(os.getpid())


def test_missing_engines_are_named_with_what_to_do(monkeypatch):
    """Nothing is started where the environment names no engines."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ToolFailed, match=r"GROUNDSWELL_REDIS_URL.*make stack"):
        engines_of_environment()


def test_an_engine_that_nobody_runs_here_is_an_error(monkeypatch):
    """A port without a listener on this machine cannot be measured."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value.format(port=port))
    with pytest.raises(ToolFailed, match=f"nobody listens on port {port}"):
        engines_of_environment()


def test_the_cpu_of_an_engine_is_that_of_its_children_too():
    """PostgreSQL serves every connection in a child."""
    argv = [sys.executable, "-c", BUSY_CHILD]
    with Process(argv) as process:
        assert process.read_line(within=20) == "ready"
        engine = Engine("postgresql", (process.pid,))
        before = engine.cpu_seconds()
        deadline = time.monotonic() + 20
        while engine.cpu_seconds() < before + 0.05:
            assert time.monotonic() < deadline, "the child's time is not counted"
            time.sleep(0.01)
        assert process.cpu_seconds() < 1
        process.close_stdin()
