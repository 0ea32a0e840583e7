"""Fixtures of what only a cluster can show."""

import pytest

from tests.acceptance.harness.deploying import DeployCluster
from tests.acceptance.harness.namespace import MISSING, Engines


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs engines where the environment names none."""
    if Engines.of_environment() is not None:
        return
    for item in items:
        if "cluster" in item.path.parts:
            item.add_marker(pytest.mark.skip(reason=MISSING))


@pytest.fixture
def deploy(changing_cluster: DeployCluster) -> DeployCluster:
    """Clusters with options, whose processes a test may kill."""
    return changing_cluster
