"""Fixtures of the acceptance suite: deployments of both kinds, the shim, and the figures it prints.

Every test runs on the embedded product and, where the environment names the engines, on separate
roles behind nginx; one that is about the embedded engines themselves says so and why:
`@pytest.mark.embedded_only("reason")`.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.harness.deploying import Deploy, DeployCluster, DeployEmbedded, Figure
from tests.acceptance.harness.deployment import Deployment
from tests.acceptance.harness.namespace import MISSING, Engines, Namespace
from tests.acceptance.harness.scale import SCALE, SEED
from tests.faults.shim import build

CLUSTER_TIMEOUT_S = 300
OUTPUT_SHOWN = 8_000  # characters of a server's output beside a failure
_figures = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_figures] = []
    config.addinivalue_line(
        "markers", "embedded_only(reason): about the embedded engines themselves"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test on both kinds of deployment, all of one kind after all of the other."""
    if "kind" not in metafunc.fixturenames:
        return
    kinds: list[Any] = ["embedded"]
    if metafunc.definition.get_closest_marker("embedded_only") is None:
        missing = Engines.of_environment() is None
        kinds.append(pytest.param("cluster", marks=pytest.mark.skipif(missing, reason=MISSING)))
    metafunc.parametrize("kind", kinds, scope="session")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give a cluster the time that it takes to start six processes, and to make its tables."""
    for item in items:
        callspec = getattr(item, "callspec", None)
        if callspec is None or callspec.params.get("kind") != "cluster":
            continue
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(CLUSTER_TIMEOUT_S))


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
        arguments = getattr(item, "funcargs", {})
        servers = [*getattr(arguments.get("deploy"), "servers", ())]
        servers += [arguments.get("shared"), arguments.get("cluster")]
        report.sections += [
            ("server output", one.output()[-OUTPUT_SHOWN:]) for one in servers if one is not None
        ]
        if (cluster := arguments.get("cluster")) is not None:
            report.sections.append(("how far persist is", cluster.progress()))
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


def clusters(folder: Path) -> Iterator[DeployCluster]:
    """Clusters in a namespace of their own."""
    engines = Engines.of_environment()
    assert engines is not None, MISSING
    namespace = Namespace(engines, folder)
    namespace.make()
    deploy = DeployCluster(folder, namespace)
    yield deploy
    deploy.close()
    namespace.drop()


@pytest.fixture(scope="session")
def changing_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeployCluster]:
    """Clusters with options, whose processes a test may kill."""
    yield from clusters(tmp_path_factory.mktemp("changing"))


@pytest.fixture(scope="session")
def standing_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeployCluster]:
    """One cluster for all tests that use videos of their own and leave it running."""
    yield from clusters(tmp_path_factory.mktemp("standing"))


@pytest.fixture
def deploy(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, shim_library: Path
) -> Iterator[Deploy]:
    """Deployments for one test."""
    if kind == "cluster":
        yield request.getfixturevalue("changing_cluster")
        return
    deploy = DeployEmbedded(tmp_path, shim_library)
    yield deploy
    deploy.close()


@pytest.fixture(scope="module")
def shared(
    kind: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    """One deployment for a module whose tests use videos of their own and leave it running."""
    if kind == "cluster":
        yield request.getfixturevalue("standing_cluster")()
        return
    deploy = DeployEmbedded(tmp_path_factory.mktemp("shared"))
    yield deploy()
    deploy.close()


@pytest.fixture
def video(request: pytest.FixtureRequest) -> str:
    """A video that no other test uses."""
    name: str = request.node.name
    return re.sub(r"[^A-Za-z0-9_.-]", "-", name)[-64:]
