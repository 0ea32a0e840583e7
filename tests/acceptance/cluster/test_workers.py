"""Several workers behind one port: the kernel spreads connections, the parent keeps them alive."""

import asyncio
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.harness.client import connect
from tests.acceptance.harness.cluster import READY_WITHIN_S, Role
from tests.acceptance.harness.deploying import DeployCluster
from tests.acceptance.harness.server_process import fetch_status, tracebacks
from tests.acceptance.harness.waiting import wait_until

pytestmark = pytest.mark.stack

WORKERS = 2
CONNECTIONS = 40  # so many that one worker alone getting all of them is beyond chance
ANSWERS = re.compile(r'^groundswell_http_answers_total\{(.*status="201".*)\} (\S+)$', re.MULTILINE)
WORKER = re.compile(r'worker="(\d+)"')


@pytest.fixture
def ingest(deploy: DeployCluster, tmp_path: Path) -> Iterator[Role]:
    """A third ingest with two workers, beside a running cluster."""
    cluster = deploy()
    role = Role("ingest", 3, tmp_path)
    environment = cluster.environment() | {"GROUNDSWELL_SERVER_WORKERS": str(WORKERS)}
    role.spawn(environment)
    role.server.wait_ready(within=READY_WITHIN_S)
    yield role
    role.server.close()
    assert not tracebacks(role.server.output())


def worker_pids(role: Role) -> set[int]:
    """Return the pids of the processes that a parent keeps."""
    path = Path(f"/proc/{role.server.pid}/task/{role.server.pid}/children")
    return {int(pid) for pid in path.read_text().split()}


async def post_over_new_connections(role: Role, video: str) -> None:
    """Post once over each of many connections."""
    for number in range(CONNECTIONS):
        async with connect(role.entrance) as client:
            answer = await client.post_comment(video, "ada", f"comment {number}")
            assert answer.status == 201, answer


async def test_workers_share_a_port_and_one_page_of_metrics(ingest: Role, video: str) -> None:
    """Each worker got some of many connections; the parent's metrics tell them apart."""
    await post_over_new_connections(ingest, video)
    status, metrics = await asyncio.to_thread(fetch_status, f"{ingest.server.internal_url}/metrics")
    assert status == 200
    answered = {
        WORKER.findall(labels)[0]: float(count) for labels, count in ANSWERS.findall(metrics)
    }
    assert len(answered) == WORKERS, metrics[:2000]
    assert sum(answered.values()) >= CONNECTIONS


async def test_a_killed_worker_is_started_again(ingest: Role, video: str) -> None:
    """The other one serves meanwhile, and the parent stays ready or becomes so again."""
    before = worker_pids(ingest)
    assert len(before) == WORKERS
    os.kill(min(before), signal.SIGKILL)
    await wait_until(
        lambda: len(worker_pids(ingest)) == WORKERS and worker_pids(ingest) != before,
        within=READY_WITHIN_S,
        what="another worker",
    )
    await wait_until(ingest.server.ready, within=READY_WITHIN_S, what="readiness")
    await post_over_new_connections(ingest, video)
