"""Fixtures of the fault tests: a stack of engines that may be hurt, and a cluster on it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local import Stack
from tests.acceptance.cluster.harness.own_cluster import own_cluster
from tests.acceptance.harness.cluster import Cluster
from tests.acceptance.harness.namespace import Engines

FOLDER = "GROUNDSWELL_STACK_FOLDER"


@pytest.fixture(scope="session")
def stack() -> Stack:
    """The engines that these tests may kill: those of the folder that the environment names.

    The engines' addresses alone are not enough: they may be somebody else's.
    """
    folder = os.environ.get(FOLDER)
    if not folder:
        pytest.skip(f"{FOLDER} names no stack that may be hurt: run make faults")
    return Stack(Path(folder))


@pytest.fixture(scope="session")
def cluster(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One cluster for all faults: what one leaves behind, the next has to live with."""
    yield from own_cluster(Engines.of(stack.environment()), tmp_path_factory.mktemp("faults"))
