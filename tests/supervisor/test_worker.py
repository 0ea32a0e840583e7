"""What makes a process a worker."""

import os
import socket
from pathlib import Path

import pytest

from groundswell.contract.settings import (
    KafkaSettings,
    ServerSettings,
    Settings,
    StreamSettings,
)
from groundswell.failures import StartFailed
from groundswell.supervisor.worker import FOLDER, NUMBER, Worker, hub_threads, member_name


def test_a_process_without_supervisor_is_no_worker() -> None:
    """Whatever number is in its environment."""
    assert Worker.of({}) is None
    assert Worker.of({NUMBER: "3"}) is None


def test_a_worker_is_what_its_environment_says() -> None:
    """What the supervisor writes there is read back."""
    worker = Worker(3, Path("/tmp/x"))  # noqa: S108  # only a name
    assert Worker.of(worker.environment) == worker
    assert worker.internal_path == "/tmp/x/3.internal"  # noqa: S108  # the same


@pytest.mark.parametrize("number", [{}, {NUMBER: "first"}])
def test_a_broken_environment_is_refused(number: dict[str, str]) -> None:
    """Two workers of one name would take partitions from each other for ever."""
    with pytest.raises(StartFailed, match="is not the number of a worker"):
        Worker.of({FOLDER: "x", **number})


@pytest.mark.parametrize(
    ("member", "worker", "name"),
    [
        ("persist-a", None, "persist-a"),
        ("persist-a", 0, "persist-a-0"),
        ("", None, f"{socket.gethostname()}-9001"),
        ("", 2, f"{socket.gethostname()}-9001-2"),
    ],
)
def test_members_of_groups_are_named_by_process(member: str, worker: int | None, name: str) -> None:
    """Unique on the host, and the same after a restart."""
    settings = Settings(
        server=ServerSettings(internal_port=9001), kafka=KafkaSettings(member=member)
    )
    assert member_name(settings, worker=worker) == name


def test_a_process_that_nothing_tells_apart_has_no_name_in_groups() -> None:
    """Two processes on free internal ports must not fence each other."""
    assert member_name(Settings(server=ServerSettings(internal_port=0)), worker=1) == ""


@pytest.mark.parametrize(
    ("workers", "threads", "each"), [(1, 0, 15), (4, 0, 3), (16, 0, 1), (40, 0, 1), (4, 2, 2)]
)
def test_workers_share_the_cores_for_their_hubs(
    monkeypatch: pytest.MonkeyPatch, workers: int, threads: int, each: int
) -> None:
    """One core of each share is for Python; what the operator says holds for each worker."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)))
    settings = Settings(
        server=ServerSettings(workers=workers), stream=StreamSettings(hub_threads=threads)
    )
    assert hub_threads(settings) == each
