"""Ports and folders for engines of a test's own."""

import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from deploy.local.plan import Plan
from deploy.local.process import is_free
from deploy.local.stack import Stack


@pytest.fixture
def free_port() -> int:
    """Return a port that nobody listens on."""
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture
def small_stack() -> Iterator[Stack]:
    """Return a stack of the two engines that start within a second; none of it runs yet."""
    plan = next(
        plan
        for plan in (_small_plan(base) for base in range(13_000, 23_000, 100))
        if all(is_free(*plan.address(engine)) for engine in ("redis", "postgresql"))
    )
    # Not tmp_path: PostgreSQL runs as a user of its own, who cannot enter it.
    folder = Path(tempfile.mkdtemp(prefix="groundswell-stack-"))
    folder.chmod(0o755)
    stack = Stack(folder / "run", plan=plan, cache=folder / "cache", report=lambda _: None)
    try:
        yield stack
    finally:
        if stack.folder.exists():
            stack.down()
        shutil.rmtree(folder)


def _small_plan(base_port: int) -> Plan:
    return Plan(kafka=0, cassandra=0, base_port=base_port)
