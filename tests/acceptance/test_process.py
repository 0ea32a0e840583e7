"""Starting, stopping and being told: one server a folder, drain, readiness, the token command."""

import asyncio
import os
import signal

import jwt
import pytest

from groundswell.contract import close_codes
from tests.acceptance.harness.audit import audit
from tests.acceptance.harness.client import connect
from tests.acceptance.harness.deploying import Deploy, DeployEmbedded
from tests.acceptance.harness.deployment import SECRET, Deployment, free_ports
from tests.acceptance.harness.embedded import Embedded
from tests.acceptance.harness.scale import seeded
from tests.acceptance.harness.server_process import fetch_status, run_command
from tests.acceptance.harness.viewers import EventStream, Viewer
from tests.acceptance.harness.waiting import wait_until
from tests.acceptance.harness.writers import Population

pytestmark = pytest.mark.stack


@pytest.mark.embedded_only("only embedded engines have a folder to lock")
async def test_a_second_server_on_a_data_folder_is_refused(deploy: DeployEmbedded) -> None:
    """It exits with an error that names the folder; the first goes on undisturbed."""
    server = deploy()
    port, internal_port = free_ports(2)
    second = await asyncio.to_thread(
        run_command,
        *("serve", "--host", "127.0.0.1", "--port", str(port)),
        *("--internal-port", str(internal_port), "--data", str(server.data)),
        environment=server.environment(),
    )
    assert second.returncode not in {0, None}
    said = second.stdout + second.stderr
    assert str(server.data) in said, said
    assert "Traceback" not in said, said
    async with connect(server) as client:
        assert (await client.post_comment("v", "ada", "still here")).status == 201


@pytest.mark.embedded_only("the command, whatever the engines")
async def test_a_taken_port_is_said_clearly(deploy: DeployEmbedded) -> None:
    """Another folder, the same port: an error that names the port."""
    server = deploy()
    second = await asyncio.to_thread(
        run_command,
        *("serve", "--host", "127.0.0.1", "--port", str(server.port)),
        *("--internal-port", str(free_ports(1)[0])),
        *("--data", str(server.data.with_name("other"))),
        environment=server.environment(),
    )
    assert second.returncode not in {0, None}
    assert str(server.port) in second.stdout + second.stderr
    assert "Traceback" not in second.stdout + second.stderr


@pytest.mark.embedded_only("of one process; tests/cluster drains one broker of two")
async def test_sigterm_drains(deploy: DeployEmbedded) -> None:
    """Not ready at once, viewers told to come back (4000), what was accepted kept, exit 0."""
    server = deploy(server_drain_time="2")
    async with connect(server) as client:
        comment = (await client.post_comment("drained", "ada", "kept")).json()["commentID"]
        viewers = [Viewer(server, "drained") for _ in range(10)]
        events = Viewer(server, "drained", transport=EventStream)
        everybody = [*viewers, events]
        for viewer in everybody:
            await viewer.open()
        server.send(signal.SIGTERM)
        await wait_until(
            lambda: fetch_status(f"{server.internal_url}/ready")[0] == 503 or not server.alive(),
            within=2,
            what="unreadiness",
        )
        status, body = fetch_status(f"{server.internal_url}/ready")
        assert status == 503
        assert "drain" in body, body
        codes = {(await viewer.wait_closed(within=10)).code for viewer in everybody}
        assert codes == {close_codes.DRAIN.code}
        assert await asyncio.to_thread(server.wait_for_exit) == 0
        for viewer in everybody:
            await viewer.cut()
        await asyncio.to_thread(server.start)
        assert [one["commentID"] for one in await client.comments("drained")] == [comment]


async def test_a_drain_under_load_loses_nothing_acknowledged(deploy: Deploy) -> None:
    """SIGTERM into a burst: exit 0, and every answer that was given holds."""
    server = deploy(server_drain_time="0.5")
    async with connect(server) as client:
        population = Population(
            server, client, seeded("drain"), name="d", videos=["burst"], http=6, sockets=3
        )
        await population.start()
        await wait_until(lambda: population.history.acks() >= 100, within=30, what="load")
        assert await asyncio.to_thread(server.terminate) == 0
        await population.stop()
        await asyncio.to_thread(server.start)
        await population.settle()
        assert await audit(server, client, population.history, "burst") == []


async def test_viewers_resume_after_a_drain(deploy: Deploy) -> None:
    """Come back with the position after a restart: recovered, nothing twice."""
    server = deploy(server_drain_time="0.2")
    async with connect(server) as client:
        viewer = Viewer(server, "again")
        await viewer.open()
        await client.post_comment("again", "ada", "one")
        await viewer.wait_for(lambda seen: len(seen.comments) == 1, what="the first")
        assert await asyncio.to_thread(server.terminate) == 0
        await viewer.cut()
        await asyncio.to_thread(server.start)
        await client.post_comment("again", "ada", "two")
        await viewer.open()
        await viewer.wait_for(lambda seen: len(seen.comments) == 2, what="the second")
        assert viewer.seen.recovered == [True]
        assert len(viewer.seen.shown) == 2
        await viewer.cut()


@pytest.mark.embedded_only("of one process, whatever its roles")
@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_ends_a_drain_at_once(deploy: DeployEmbedded, first: int) -> None:
    """Whoever asks twice does not wait for the drain time."""
    server = deploy(server_drain_time="60")
    # The first viewer is closed at once, the second after half of the time.
    async with Viewer(server, "impatient"), Viewer(server, "impatient"):
        server.send(first)
        await wait_until(
            lambda: fetch_status(f"{server.internal_url}/ready")[0] == 503,
            within=2,
            what="unreadiness",
        )
        server.send(signal.SIGTERM)
        await wait_until(lambda: not server.alive(), within=1.5, what="the end")


async def test_health_and_metrics_are_on_the_internal_port_only(shared: Deployment) -> None:
    """The public port knows neither."""
    for path in ("health", "ready", "metrics"):
        assert fetch_status(f"{shared.internal_url}/{path}")[0] == 200
        assert fetch_status(f"{shared.base_url}/{path}")[0] == 404
    assert "groundswell" in fetch_status(f"{shared.internal_url}/metrics")[1]


async def test_token_create_prints_the_token_alone(shared: Deployment) -> None:
    """One line on standard output, and the server accepts it."""
    result = await asyncio.to_thread(
        run_command,
        *("token", "create", "--user", "ada", "--role", "moderator"),
        environment=shared.environment(),
    )
    assert result.returncode == 0, result.stderr
    token = result.stdout.removesuffix("\n")
    assert "\n" not in token
    claims = jwt.decode(token, SECRET, ["HS256"], audience="groundswell", issuer="groundswell")
    assert (claims["sub"], claims["role"]) == ("ada", "moderator")
    async with connect(shared) as client:
        answer = await client.request(
            "POST",
            "/live/minted/comments",
            body={"commentText": "x"},
            headers={"Authorization": f"Bearer {token}"},
        )
        assert answer.status == 201


@pytest.mark.embedded_only("the command, whatever the engines")
async def test_without_a_secret_only_loopback_is_served(deploy: DeployEmbedded) -> None:
    """A development secret is made once in the data folder; asking for more is refused."""
    server = deploy(start=False)
    environment = {k: v for k, v in server.environment().items() if k != "GROUNDSWELL_AUTH_SECRET"}
    refused = await asyncio.to_thread(
        run_command,
        *("serve", "--host", "0.0.0.0", "--port", str(server.port)),  # noqa: S104 - must fail
        *("--internal-port", str(server.internal_port), "--data", str(server.data)),
        environment=environment,
    )
    assert refused.returncode != 0
    assert "auth.secret" in refused.stdout + refused.stderr


@pytest.mark.embedded_only("the command, whatever the engines")
async def test_unknown_options_are_errors(deploy: DeployEmbedded) -> None:
    """A misspelt option in the environment stops the start and is named."""
    server = deploy(start=False)
    environment = server.environment() | {"GROUNDSWELL_ROOM_TICK_MINIMUM": "1"}
    result = await asyncio.to_thread(
        run_command, "serve", "--data", str(server.data), environment=environment
    )
    assert result.returncode != 0
    assert "tick_minimum" in (result.stdout + result.stderr).lower()


async def test_no_secret_is_ever_printed(shared: Deployment) -> None:
    """Neither the log nor `config show` knows what the secret is."""
    result = await asyncio.to_thread(
        run_command, "config", "show", environment=shared.environment()
    )
    assert result.returncode == 0, result.stderr
    assert SECRET not in result.stdout + result.stderr + shared.output()


@pytest.mark.embedded_only("the cluster's secrets are in its configuration")
async def test_files_with_secrets_are_the_owners_only(shared: Embedded) -> None:
    """Nothing in the data folder can be read by others where it holds a secret."""
    for path in shared.data.rglob("*secret*"):
        assert os.stat(path).st_mode & 0o077 == 0, path
