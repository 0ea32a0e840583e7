"""The embedded product: one process, its files in one folder."""

import contextlib
import os
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.acceptance.harness.deployment import OPTIONS, SECRET, Door, free_ports, mint
from tests.acceptance.harness.server_process import ServerProcess
from tests.acceptance.harness.sqlite_stores import SqliteStores
from tests.faults.shim import Shim

READY_WITHIN_S = 60.0  # a machine may be busy with something else


class Embedded:
    """One `groundswell serve` process on the embedded engines."""

    def __init__(
        self,
        folder: Path,
        *,
        options: Mapping[str, str] | None = None,
        roles: str = "ingest,broker,persist",
    ) -> None:
        self.data = folder / "data"
        self.stores = SqliteStores(self.data)
        self.port, self.internal_port = free_ports(2)
        self.base_url = f"http://127.0.0.1:{self.port}"
        self.shim: Shim | None = None
        self._options = {**OPTIONS, **(options or {})}
        self._roles = roles
        self._server = ServerProcess(
            internal_port=self.internal_port, log_path=folder / "server.log"
        )
        self.internal_url = self._server.internal_url

    @property
    def entrance(self) -> Door:
        """Nothing is before the server."""
        return self

    def token(
        self, user: str, *, role: str = "viewer", video: str | None = None, ttl_s: float = 3600
    ) -> str:
        """Return a token that the server accepts."""
        return mint(user, role=role, video=video, ttl_s=ttl_s)

    def environment(self, *, faultpoint: str | None = None) -> dict[str, str]:
        """Return the whole environment of the server process."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("GROUNDSWELL_")}
        return {
            **inherited,
            "GROUNDSWELL_AUTH_SECRET": SECRET,
            **self._options,
            **(self.shim.environment if self.shim else {}),
            **({"GROUNDSWELL_FAULTPOINT": faultpoint} if faultpoint else {}),
        }

    def arguments(self) -> list[str]:
        """Return the server's command line."""
        return [
            "serve",
            *("--host", "127.0.0.1", "--port", str(self.port)),
            *("--internal-port", str(self.internal_port)),
            *("--data", str(self.data), "--roles", self._roles),
        ]

    def start(self, *, faultpoint: str | None = None) -> None:
        """Start the server and wait until it is ready, or has come to its fault point."""
        self._server.spawn(self.arguments(), environment=self.environment(faultpoint=faultpoint))
        self._server.wait_ready(within=READY_WITHIN_S, may_end=faultpoint is not None)

    @contextlib.contextmanager
    def elsewhere(self) -> Iterator[None]:
        """Have the server start on another port, where those who watched do not find it."""
        port, base_url = self.port, self.base_url
        (self.port,) = free_ports(1)
        self.base_url = f"http://127.0.0.1:{self.port}"
        try:
            yield
        finally:
            self.port, self.base_url = port, base_url

    def kill9(self) -> None:
        """Kill the server without a warning."""
        self._server.kill9()

    def send(self, number: int) -> None:
        """Send the server a signal."""
        self._server.send(number)

    def terminate(self) -> int:
        """Ask the server to stop, wait for its end, return the exit status."""
        self._server.send(signal.SIGTERM)
        return self._server.wait()

    def wait_for_exit(self) -> int:
        """Wait until the server has ended by itself and return the exit status."""
        return self._server.wait()

    def _continue_as(self, roles: str) -> None:
        assert self.terminate() == 0, self.output()
        self._roles = roles
        self.start()

    def pause_persist(self) -> None:
        """Go on in a process without `persist`."""
        self._continue_as("ingest,broker")

    def resume_persist(self) -> None:
        """Go on in a process with `persist`."""
        self._continue_as("ingest,broker,persist")

    def ready(self) -> bool:
        """Tell whether the server says that it is ready."""
        return self._server.ready()

    def alive(self) -> bool:
        """Tell whether the server process runs."""
        return self._server.alive()

    def memory_kib(self) -> int:
        """Return the server's resident memory."""
        return self._server.memory_kib()

    def output(self) -> str:
        """Return everything the server printed, over all its starts."""
        return self._server.output()

    def close(self) -> None:
        """End the server if it still runs."""
        self._server.close()
