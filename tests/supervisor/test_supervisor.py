"""A real parent with real children: what they are together, and how each of them ends."""

import os
import signal
import socket

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.supervisor.harness.supervised import Supervised, alive, wait_until


def metrics(server: Supervised) -> dict[tuple[str, str], float]:
    """Return what the internal port exposes, by name and worker."""
    families = text_string_to_metric_families(server.internal("/metrics")[1])
    return {
        (sample.name, sample.labels["worker"]): sample.value
        for family in families
        for sample in family.samples
    }


def test_workers_share_a_port_and_answer_as_one_server() -> None:
    """Connections reach both; health, readiness and metrics are those of all."""
    with Supervised() as server:
        wait_until(server.ready, "readiness")
        reached: set[str] = set()
        wait_until(lambda: bool(reached.add(server.number()) or len(reached) == 2), "both workers")
        assert reached == {"0", "1"}
        assert server.internal("/health") == (200, '{"status":"up"}')
        assert {worker["pid"] for worker in server.workers()} == set(server.pids())
        assert [worker["status"] for worker in server.workers()] == ["ready", "ready"]
        found = metrics(server)
        for worker in ("0", "1", "supervisor"):
            assert found["process_resident_memory_bytes", worker] > 0
        for worker in ("0", "1"):
            assert found["groundswell_workers_up", worker] == 1
            assert found["groundswell_workers_restarts_total", worker] == 0


def test_a_worker_that_dies_is_started_again() -> None:
    """With a line in the log; the other one is left alone."""
    with Supervised() as server:
        wait_until(server.ready, "readiness")
        victim, other = (worker["pid"] for worker in server.workers())
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: bool(server.events("a worker ended")), "the log line")
        line = server.events("a worker ended")[0]
        assert (line["worker"], line["how"]) == (0, "SIGKILL")
        wait_until(server.ready, "readiness again")
        pids = [worker["pid"] for worker in server.workers()]
        assert (pids[0] != victim, pids[1]) == (True, other)
        assert metrics(server)["groundswell_workers_restarts_total", "0"] == 1


def test_a_worker_that_hangs_is_told_and_does_not_hide_the_others() -> None:
    """It answers neither; the rest is there in bounded time."""
    with Supervised() as server:
        wait_until(server.ready, "readiness")
        hung = server.workers()[1]["pid"]
        os.kill(hung, signal.SIGSTOP)
        found = metrics(server)
        assert found["groundswell_workers_up", "0"] == 1
        assert found["groundswell_workers_up", "1"] == 0
        assert ("process_open_fds", "1") not in found
        assert server.internal("/ready")[0] == 503
        assert server.workers()[1]["reason"] == "the worker does not answer"
        os.kill(hung, signal.SIGCONT)
        wait_until(server.ready, "readiness again")


def test_what_cannot_start_ends_the_whole_with_its_reason_once() -> None:
    """Starting it again would not help, and every worker has the same reason."""
    with Supervised("cannot-start", workers=3) as server:
        assert server.wait() == 1
        failed = [line for line in server.lines if "the moon is in the wrong house" in line]
        assert failed == ["start failed: the moon is in the wrong house"]
        assert server.events("a worker ended") == []
        assert server.events("stopped") == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_reaches_every_worker_once(number: signal.Signals) -> None:
    """A terminal sends Ctrl-C to the whole group: the workers are not in it."""
    with Supervised() as server:
        wait_until(server.ready, "readiness")
        pids = server.pids()
        os.killpg(server.process.pid, number)
        assert server.wait() == 0
        told = sorted(line for line in server.lines if line.startswith("worker "))
        assert told == ["worker 0 told", "worker 1 told"]
        assert not any(map(alive, pids))
        assert len(server.events("stopped")) == 1


def test_a_second_signal_ends_workers_that_do_not_listen() -> None:
    """While they drain the server is not ready; who asks twice does not wait."""
    with Supervised("stubborn") as server:
        wait_until(server.ready, "readiness")
        pids = server.pids()
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: server.internal("/ready")[0] == 503, "unreadiness")
        wait_until(lambda: sum("told" in line for line in server.lines) == 2, "both were told")
        assert all(map(alive, pids))
        server.process.send_signal(signal.SIGTERM)
        assert server.wait() == 1
        assert not any(map(alive, pids))


def test_workers_do_not_outlive_their_parent() -> None:
    """Not even one that is killed and can tell nobody: they are told to drain."""
    with Supervised() as server:
        wait_until(server.ready, "readiness")
        pids = server.pids()
        assert len(pids) == 2
        server.process.kill()
        server.process.wait()
        wait_until(lambda: not any(map(alive, pids)), "the workers' end")


@pytest.mark.parametrize("sharing", [False, True])
def test_a_port_that_somebody_listens_on_is_not_shared_with_them(*, sharing: bool) -> None:
    """Not even if they would share it: connections would go to either server."""
    with socket.create_server(("127.0.0.1", 0), reuse_port=sharing) as taken:
        port = taken.getsockname()[1]
        server = Supervised(port=port)
        try:
            assert server.wait() == 1
        finally:
            server.close()
    assert server.lines == [
        f"start failed: port {port} is taken by another program: see --port and "
        "`groundswell doctor`"
    ]
