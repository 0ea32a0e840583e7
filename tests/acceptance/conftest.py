"""Fixtures of the acceptance suite: deployments, the shim, and the figures it prints."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.harness.deploying import Deploy, Figure
from tests.acceptance.harness.deployment import Embedded
from tests.acceptance.harness.scale import SCALE, SEED
from tests.faults.shim import build

OUTPUT_SHOWN = 8_000  # characters of a server's output beside a failure
_figures = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_figures] = []


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if lines := config.stash[_figures]:
        terminalreporter.section(f"figures (scale {SCALE:g}, seed {SEED})")
        for line in lines:
            terminalreporter.write_line(line)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Show the servers' last output and the seed beside a failure."""
    report = yield
    if report.failed:
        report.sections.append(("seed", f"GROUNDSWELL_TEST_SEED={SEED}"))
        for fixture in getattr(item, "funcargs", {}).values():
            servers = fixture.servers if isinstance(fixture, Deploy) else [fixture]
            report.sections += [
                ("server output", one.output()[-OUTPUT_SHOWN:])
                for one in servers
                if isinstance(one, Embedded)
            ]
    return report


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Figure:
    """Give a measured or counted value to the summary at the end of the run."""

    def note(name: str, value: object) -> None:
        request.config.stash[_figures].append(f"{request.node.name}: {name} = {value}")

    return note


@pytest.fixture(scope="session")
def shim_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled preload shim."""
    return build(tmp_path_factory.mktemp("shim"))


@pytest.fixture
def deploy(tmp_path: Path, shim_library: Path) -> Iterator[Deploy]:
    """Servers for one test."""
    deploy = Deploy(tmp_path, shim_library)
    yield deploy
    deploy.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    """One server for a module whose tests use videos of their own and leave it running."""
    deploy = Deploy(tmp_path_factory.mktemp("shared"))
    yield deploy()
    deploy.close()


@pytest.fixture
def video(request: pytest.FixtureRequest) -> str:
    """A video that no other test uses."""
    name: str = request.node.name
    return re.sub(r"[^A-Za-z0-9_.-]", "-", name)[-64:]
