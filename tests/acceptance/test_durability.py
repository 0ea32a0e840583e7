"""The shim's witness: stable storage comes before the answer."""

import asyncio

import pytest

from tests.acceptance.harness.client import connect
from tests.acceptance.harness.deploying import DeployEmbedded, Figure
from tests.acceptance.harness.scale import scaled, seeded
from tests.acceptance.harness.sqlite_stores import LOG_FILES
from tests.acceptance.harness.viewers import Viewer
from tests.acceptance.harness.waiting import wait_until
from tests.acceptance.harness.writers import Population
from tests.faults.shim import judge_durability

pytestmark = [
    pytest.mark.stack,
    pytest.mark.embedded_only("the shim watches the log's file; Kafka has an acks=all of its own"),
]


async def test_every_answer_comes_after_its_fdatasync(
    deploy: DeployEmbedded, figure: Figure
) -> None:
    """Between the write of a comment to the log and any byte that names it lies a sync."""
    server = deploy(shim=True)
    async with connect(server) as client, Viewer(server, "durable"):
        population = Population(
            server, client, seeded("durability"), name="d", videos=["durable"], http=8, sockets=4
        )
        await population.start()
        wanted = scaled(600, full=10_000)
        await wait_until(lambda: population.history.acks() >= wanted, within=100, what="load")
        await population.stop()
    assert await asyncio.to_thread(server.terminate) == 0

    assert server.shim is not None
    trace = server.shim.trace()
    verdict = judge_durability(trace, log_files=LOG_FILES)
    assert verdict.too_early == [], "an id left by a socket before its record was synced"
    assert verdict.never_written == []
    acknowledged = {one.comment_id for one in population.history.acknowledged("durable")}
    answered = {one for row in trace if row.what in {"201", "ack"} for one in row.ids}
    assert acknowledged <= answered, "the shim did not see every answer"
    assert verdict.proved >= len(acknowledged)
    figure("comments proved", verdict.proved)
    figure("syncs", server.shim.syncs)
