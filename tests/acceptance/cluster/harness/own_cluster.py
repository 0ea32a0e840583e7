"""A cluster in a namespace of its own, made and removed."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.acceptance.harness.cluster import COUNTS, Cluster
from tests.acceptance.harness.namespace import Engines, Namespace
from tests.acceptance.harness.server_process import tracebacks


def own_cluster(
    engines: Engines, folder: Path, *, counts: Mapping[str, int] = COUNTS
) -> Iterator[Cluster]:
    """Run a cluster; none of its processes may print a traceback."""
    namespace = Namespace(engines, folder)
    namespace.make()
    cluster = Cluster(folder, namespace, counts=counts)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.close()
        namespace.drop()
    found = tracebacks(cluster.output())
    assert not found, found[0]
