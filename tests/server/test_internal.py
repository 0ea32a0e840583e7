"""The internal port."""

import pytest
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client import CollectorRegistry, Counter

from groundswell.server.internal import internal_app
from groundswell.server.readiness import Check, Readiness


def readiness(*, log: bool = True, started: bool = True) -> Readiness:
    """A process that requires its log and waits for it."""
    made = Readiness(waiting_for=lambda: "the log: no answer")
    if started:
        made.started([Check(name="log", required=True, works=lambda: log, without="nothing")])
    return made


@pytest.mark.parametrize(
    ("log", "started", "draining", "status"),
    [
        (True, True, False, 200),
        (False, True, False, 503),
        (True, False, False, 503),
        (True, True, True, 503),
    ],
)
async def test_ready_tells_whether_traffic_may_come(
    status: int, *, log: bool, started: bool, draining: bool
) -> None:
    """In its status and its body; health does not depend on it."""
    state = readiness(log=log, started=started)
    if draining:
        state.drain()
    app = internal_app(readiness=state, registry=CollectorRegistry())
    async with TestClient(TestServer(app)) as client:
        async with client.get("/ready") as response:
            assert response.status == status
            assert await response.json() == state.report()[1]
        async with client.get("/health") as response:
            assert response.status == 200


async def test_metrics_are_those_of_the_registry() -> None:
    """In the text format of Prometheus."""
    registry = CollectorRegistry()
    Counter("things", "Things.", registry=registry).inc(3)
    app = internal_app(readiness=readiness(), registry=registry)
    async with TestClient(TestServer(app)) as client, client.get("/metrics") as response:
        assert response.content_type == "text/plain"
        assert "things_total 3.0" in await response.text()


async def test_unknown_paths_are_problems() -> None:
    """The same form as on the public port."""
    app = internal_app(readiness=readiness(), registry=CollectorRegistry())
    async with TestClient(TestServer(app)) as client, client.get("/x") as response:
        assert response.status == 404
        assert response.content_type == "application/problem+json"
