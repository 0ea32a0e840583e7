"""The commands that run a server: which roles, how many processes, and how a worker ends."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner

from groundswell.cli import cli
from groundswell.contract.settings import Settings

CLUSTER = (
    *("--set", "log.engine=kafka", "--set", "store.engine=cassandra"),
    *("--set", "cache.engine=redis", "--set", "accounts.url=postgresql://u@127.0.0.1/d"),
)
EVERY_ROLE = ("ingest", "broker", "persist")


@pytest.fixture(name="given")
def fixture_given(monkeypatch: pytest.MonkeyPatch) -> dict[str, Settings]:
    """What the command handed on: to `serve` in this process, or to `supervise`."""
    given: dict[str, Settings] = {}

    def keep(name: str, status: int) -> Callable[[Settings], int]:
        def run(settings: Settings) -> int:
            given[name] = settings
            return status

        return run

    roles, preparation = ModuleType("groundswell.roles"), ModuleType("groundswell.roles.x")
    roles.serve = keep("serve", 0)  # type: ignore[attr-defined]  # that is the point
    preparation.prepared = lambda settings: settings  # type: ignore[attr-defined]  # the same
    monkeypatch.setitem(sys.modules, "groundswell.roles", roles)
    monkeypatch.setitem(sys.modules, "groundswell.roles.preparation", preparation)
    monkeypatch.setattr("groundswell.supervisor.supervisor.supervise", keep("supervise", 7))
    # Logging is the process's; the test runner keeps its own.
    monkeypatch.setattr("groundswell.telemetry.logging.configure", lambda settings: None)
    return given


@pytest.mark.parametrize("role", EVERY_ROLE)
def test_a_role_has_a_command_that_decides_it(role: str, given: dict[str, Settings]) -> None:
    """Whatever the configuration says of roles: one file serves all commands."""
    result = CliRunner().invoke(
        cli, [role, "--set", "server.roles=ingest,broker,persist", "--internal-port", "9001"]
    )
    assert result.exit_code == 0, result.output
    assert given["serve"].server.roles == (role,)
    assert given["serve"].server.internal_port == 9001


@pytest.mark.parametrize("role", EVERY_ROLE)
def test_only_roles_that_serve_somebody_have_a_public_port(role: str) -> None:
    """`persist` is asked for none."""
    result = CliRunner().invoke(cli, [role, "--help"])
    assert ("--port " in result.stdout) == (role != "persist")
    assert "--workers" in result.stdout


@pytest.mark.parametrize("name", ["serve", *EVERY_ROLE])
def test_several_workers_have_a_parent(name: str, given: dict[str, Settings]) -> None:
    """Its exit status is the command's."""
    result = CliRunner().invoke(cli, [name, "--workers", "3", *CLUSTER])
    assert result.exit_code == 7, result.output
    assert given.keys() == {"supervise"}
    assert given["supervise"].server.workers == 3


def test_embedded_engines_have_one_process() -> None:
    """The refusal names every option that has to change."""
    result = CliRunner().invoke(cli, ["serve", "--workers", "2", "--set", "cache.engine=redis"])
    assert result.exit_code == 2
    assert "log.engine = sqlite, store.engine = sqlite, accounts.url" in result.stderr
    assert "cache.engine = memory" not in result.stderr


def test_a_worker_serves_by_itself_and_keeps_its_reason_for_its_parent(tmp_path: Path) -> None:
    """Several workers that cannot start are one failure, told once by the parent."""
    environment = {"GROUNDSWELL_WORKER": "4", "GROUNDSWELL_WORKER_FOLDER": str(tmp_path)}
    script = f"""
import sys, types
from groundswell.failures import StartFailed
roles = types.ModuleType("groundswell.roles")
def serve(settings):
    assert settings.server.workers == 1
    assert settings.kafka.member == "name-4"
    raise StartFailed("no, because")
roles.serve = serve
sys.modules["groundswell.roles"] = roles
from groundswell.cli import main
sys.argv[1:] = {["serve", "--workers", "9", "--set", "kafka.member=name", *CLUSTER]!r}
main()
"""
    child = subprocess.Popen(
        [sys.executable, "-c", script],
        env=environment,
        stdin=subprocess.PIPE,  # open until the end, as a parent that lives holds it
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    with child, child.stdin:
        assert (child.stdout.read(), child.wait(60)) == ("", 78)
    assert (tmp_path / "4.failure").read_text(encoding="utf-8") == "no, because"
