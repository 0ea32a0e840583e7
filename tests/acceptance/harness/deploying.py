"""How tests get deployments and give figures."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

from tests.acceptance.harness.cluster import Cluster
from tests.acceptance.harness.deployment import Deployment
from tests.acceptance.harness.embedded import Embedded
from tests.acceptance.harness.namespace import Namespace
from tests.acceptance.harness.server_process import tracebacks
from tests.faults.shim import Shim

Figure = Callable[[str, object], None]


class Deploy(Protocol):
    """Gives a test a deployment with options of its own: `deploy(room_resume_window="2")`."""

    @property
    def servers(self) -> Sequence[Deployment]:
        """What was started, for its output."""
        ...

    def __call__(self, *, start: bool = True, **options: str) -> Deployment:
        """Start a deployment with these options; it ends with the test, or later."""
        ...


class DeployEmbedded:
    """Starts servers that end with the test, each on a data folder of its own."""

    def __init__(self, folder: Path, shim_library: Path | None = None) -> None:
        self.servers: list[Embedded] = []
        self._folder = folder
        self._shim_library = shim_library
        self._stack = ExitStack()

    def __call__(
        self, *, name: str = "server", start: bool = True, shim: bool = False, **options: str
    ) -> Embedded:
        """Start a server with these options, on a data folder of its own below `name`."""
        folder = self._folder / name
        folder.mkdir(exist_ok=True)
        server = Embedded(folder, options=environment_of(options))
        if shim:
            assert self._shim_library is not None
            server.shim = Shim(
                self._shim_library, watched=server.data, scratch=folder, tracing=True
            )
            self._stack.callback(server.shim.close)
        self._stack.callback(server.close)
        self.servers.append(server)
        if start:
            server.start()
        return server

    def close(self) -> None:
        """End all servers; none of them may have printed a traceback."""
        self._stack.close()
        for server in self.servers:
            found = tracebacks(server.output())
            assert not found, found[0]


class DeployCluster:
    """One cluster in one namespace, with other options for each test that wants them.

    Six processes take seconds to start: only those are started anew that an option concerns.
    """

    def __init__(self, folder: Path, namespace: Namespace) -> None:
        self._cluster = Cluster(folder, namespace)

    @property
    def servers(self) -> Sequence[Cluster]:
        """The cluster."""
        return [self._cluster]

    def __call__(self, *, start: bool = True, **options: str) -> Cluster:
        """Give the cluster with these options, everything running; not `start`: nothing."""
        self._cluster.reconfigure(environment_of(options))
        if start:
            self._cluster.start()
        else:
            self._cluster.kill9()
        return self._cluster

    def close(self) -> None:
        """End the cluster; none of its processes may have printed a traceback."""
        self._cluster.close()
        found = tracebacks(self._cluster.output())
        assert not found, found[0]


def environment_of(options: Mapping[str, str]) -> dict[str, str]:
    """Return options, written as `section_name`, as variables of the environment."""
    return {f"GROUNDSWELL_{key.upper()}": value for key, value in options.items()}
