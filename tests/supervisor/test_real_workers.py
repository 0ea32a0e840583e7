"""`groundswell serve --workers 2` on the real engines, and one of the workers killed."""

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.acceptance.harness.client import Client, Unanswered, connect
from tests.acceptance.harness.cluster import READY_WITHIN_S, Entrance
from tests.acceptance.harness.deployment import free_ports
from tests.acceptance.harness.namespace import MISSING, PARTITIONS, Engines, Namespace
from tests.acceptance.harness.server_process import ServerProcess, fetch_status, tracebacks
from tests.acceptance.harness.waiting import wait_until

pytestmark = pytest.mark.stack

VIDEO = "shared"
COMMENTS = 60
SETTLES_WITHIN_S = 60.0  # a member that was killed keeps its partitions for a session


@pytest.fixture(name="namespace")
def fixture_namespace(tmp_path: Path) -> Iterator[Namespace]:
    """Engines of this test's own."""
    engines = Engines.of_environment()
    if engines is None:
        pytest.skip(MISSING)
    namespace = Namespace(engines, tmp_path)
    try:
        namespace.make()
        yield namespace
    finally:
        namespace.drop()


class Workers:
    """Two workers behind one public and one internal port."""

    def __init__(self, namespace: Namespace, folder: Path) -> None:
        port, internal_port = free_ports(2)
        self.entrance = Entrance(f"http://127.0.0.1:{port}")
        self.process = ServerProcess(internal_port=internal_port, log_path=folder / "log")
        self.process.spawn(
            ["serve", "--workers", "2", "--host", "127.0.0.1"],
            environment={
                **namespace.environment(),
                "GROUNDSWELL_SERVER_PORT": str(port),
                "GROUNDSWELL_SERVER_INTERNAL_PORT": str(internal_port),
                "GROUNDSWELL_SERVER_DRAIN_TIME": "0.5",
            },
        )
        self.process.wait_ready(within=READY_WITHIN_S)

    def pids(self) -> list[int]:
        """Return the processes of the workers, by their numbers."""
        body = json.loads(fetch_status(f"{self.process.internal_url}/ready")[1])
        return [worker["pid"] for worker in body["workers"]]

    def metric(self, name: str, **labels: str) -> dict[str, float]:
        """Return a metric by worker."""
        text = fetch_status(f"{self.process.internal_url}/metrics")[1]
        return {
            sample.labels["worker"]: sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        }

    def share(self) -> bool:
        """Tell whether every partition of comments has one owner, and each worker owns some."""
        owned = self.metric("groundswell_persist_partitions", projection="comments")
        return sum(owned.values()) == PARTITIONS and min(owned.values()) > 0


async def post(client: Client, number: int) -> str:
    """Post a comment until it is accepted; the key makes one of what came twice."""
    while True:
        try:
            answer = await client.post_comment(
                VIDEO, f"user{number}", f"comment {number}", key=f"key-{number}"
            )
        except Unanswered:
            continue  # the worker was killed; the next connection goes to the other one
        assert answer.status in (200, 201), answer.body
        return str(answer.json()["commentID"])


async def test_two_workers_are_one_server_and_losing_one_loses_nothing(
    namespace: Namespace, tmp_path: Path
) -> None:
    """Both are used and own partitions; what was accepted is there once after a `kill -9`."""
    workers = await asyncio.to_thread(Workers, namespace, tmp_path)
    try:
        async with connect(workers.entrance) as client:
            accepted = set(await asyncio.gather(*(post(client, n) for n in range(COMMENTS))))
            await wait_until(workers.share, within=SETTLES_WITHIN_S, what="shares")
            victim, other = workers.pids()
            os.kill(victim, signal.SIGKILL)
            more = await asyncio.gather(*(post(client, COMMENTS + n) for n in range(COMMENTS)))
            accepted.update(more)
            await wait_until(workers.process.ready, within=READY_WITHIN_S, what="readiness")
            restarted, same = workers.pids()
            assert (restarted != victim, same) == (True, other)
            await wait_until(workers.share, within=SETTLES_WITHIN_S, what="shares again")
            assert workers.metric("groundswell_workers_restarts_total") == {"0": 1, "1": 0}
            found = [comment["commentID"] for comment in await client.every_comment(VIDEO)]
            assert len(found) == len(set(found))
            assert set(found) == accepted
            assert len(accepted) == 2 * COMMENTS
        workers.process.send(signal.SIGTERM)
        assert await asyncio.to_thread(workers.process.wait) == 0
        assert tracebacks(workers.process.output()) == []
    finally:
        await asyncio.to_thread(workers.process.close)
