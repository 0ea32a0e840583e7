"""The product as separate roles on real engines, behind nginx."""

import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.local.nginx import Nginx
from tests.acceptance.harness.cluster_stores import ClusterStores
from tests.acceptance.harness.deployment import Door, free_ports, mint
from tests.acceptance.harness.namespace import Namespace
from tests.acceptance.harness.server_process import ServerProcess, fetch_status
from tests.acceptance.harness.waiting import POLL_S

READY_WITHIN_S = 120.0  # six processes on two cores, beside a Kafka and a Cassandra
COUNTS = {"ingest": 2, "broker": 2, "persist": 2}
ROLE_OF_POINT = {"ingest": "ingest", "persist": "persist", "store": "persist", "index": "persist"}
# Options of these sections are of no interest to other roles; all others concern everybody.
PROGRESS = "groundswell_persist_"
ROLES_OF_SECTION = {"ROOM": {"broker"}, "STREAM": {"broker"}}


def _concerns(variable: str, role: str) -> bool:
    section = variable.removeprefix("GROUNDSWELL_").partition("_")[0]
    return role in ROLES_OF_SECTION.get(section, COUNTS)


@dataclass(frozen=True, slots=True)
class Entrance:
    """The address of one process, past the proxy."""

    base_url: str

    def token(
        self, user: str, *, role: str = "viewer", video: str | None = None, ttl_s: float = 3600
    ) -> str:
        """Return a token that every process accepts."""
        return mint(user, role=role, video=video, ttl_s=ttl_s)


class Role:
    """One process of one role, with ports that it keeps over all its starts."""

    def __init__(self, role: str, number: int, folder: Path) -> None:
        self.role = role
        self.name = f"{role}-{number}"
        port, internal_port = free_ports(2)
        self.server = ServerProcess(
            internal_port=internal_port, log_path=folder / f"{self.name}.log"
        )
        self.address = f"127.0.0.1:{port}"
        self.entrance = Entrance(f"http://{self.address}")
        self._environment = {
            "GROUNDSWELL_SERVER_HOST": "127.0.0.1",
            "GROUNDSWELL_SERVER_PORT": str(port),
            "GROUNDSWELL_SERVER_INTERNAL_PORT": str(internal_port),
            "GROUNDSWELL_SERVER_DATA": str(folder / self.name),
            "GROUNDSWELL_SERVER_TRUSTED_PROXIES": "127.0.0.1",
            "GROUNDSWELL_KAFKA_MEMBER": self.name,
        }

    def spawn(self, environment: Mapping[str, str], *, faultpoint: str | None = None) -> None:
        """Start it, without waiting for it."""
        own = dict(self._environment)
        if faultpoint is not None:
            own["GROUNDSWELL_FAULTPOINT"] = faultpoint
        self.server.spawn([self.role], environment={**environment, **own})


class Cluster:
    """Two processes of each role behind one nginx; every process can be reached by itself, too."""

    def __init__(
        self,
        folder: Path,
        namespace: Namespace,
        *,
        options: Mapping[str, str] | None = None,
        counts: Mapping[str, int] = COUNTS,
    ) -> None:
        self.namespace = namespace
        self.stores = ClusterStores(namespace)
        self.roles = [
            Role(role, number, folder)
            for role, count in counts.items()
            for number in range(1, count + 1)
        ]
        (port,) = free_ports(1)
        self.base_url = f"http://127.0.0.1:{port}"
        self.internal_url = self.of("broker")[0].server.internal_url
        self.entrance: Door = self.of("broker")[0].entrance
        self._address = f"127.0.0.1:{port}"
        self._nginx = Nginx(folder / "nginx")
        self._environment = namespace.environment()
        self._options = dict(options or {})
        self._paused: set[str] = set()  # roles
        self._armed: list[Role] = []  # with a fault point

    def of(self, role: str) -> list[Role]:
        """Return the processes of a role."""
        return [one for one in self.roles if one.role == role]

    def token(
        self, user: str, *, role: str = "viewer", video: str | None = None, ttl_s: float = 3600
    ) -> str:
        """Return a token that every process accepts."""
        return mint(user, role=role, video=video, ttl_s=ttl_s)

    def environment(self) -> dict[str, str]:
        """Return the environment of a process that is told every option."""
        return {**self._environment, **self._options}

    def _options_of(self, role: str) -> dict[str, str]:
        return {name: value for name, value in self._options.items() if _concerns(name, role)}

    def reconfigure(self, options: Mapping[str, str]) -> None:
        """Take other options; `start` has the processes use them that they concern."""
        before = {role: self._options_of(role) for role in COUNTS}
        self._options = dict(options)
        changed = [one for one in self._running() if self._options_of(one.role) != before[one.role]]
        for one in changed:
            one.server.send(signal.SIGKILL)
        for one in changed:
            one.server.wait()

    def spawn(self, one: Role, *, faultpoint: str | None = None) -> None:
        """Start a process that does not run, without waiting for it."""
        environment = {**self._environment, **self._options_of(one.role)}
        one.spawn(environment, faultpoint=faultpoint)

    def start(self, *, faultpoint: str | None = None) -> None:
        """Start what does not run and wait until all is ready.

        A fault point is given to both processes of its role: which of them comes there first
        depends on what they read. Once one has, `wait_for_exit` ends the other, too.
        """
        wanted = [one for one in self.roles if one.role not in self._paused]
        role = ROLE_OF_POINT[faultpoint.partition(".")[0]] if faultpoint else None
        self._armed = self.of(role) if role else []
        for one in wanted:
            if not one.server.alive():
                self.spawn(one, faultpoint=faultpoint if one in self._armed else None)
        for one in wanted:
            one.server.wait_ready(within=READY_WITHIN_S, may_end=one in self._armed)
        if self._nginx.pid() is None:
            self._nginx.configure(
                listen=self._address,
                ingest=[one.address for one in self.of("ingest")],
                brokers=[one.address for one in self.of("broker")],
            )
            self._nginx.start()

    def _running(self) -> list[Role]:
        return [one for one in self.roles if one.server.alive()]

    def kill9(self) -> None:
        """Kill all processes without a warning."""
        running = self._running()
        self.send(signal.SIGKILL)
        for one in running:
            one.server.wait()

    def send(self, number: int) -> None:
        """Send every process a signal."""
        for one in self.roles:
            one.server.send(number)

    def terminate(self) -> int:
        """Ask all to stop, wait for their ends, return the worst exit status."""
        self.send(signal.SIGTERM)
        return max((abs(one.server.wait()) for one in self.roles), default=0)

    def wait_for_exit(self) -> int:
        """Wait until a process has ended by itself and return its exit status."""
        began = time.monotonic()
        while self.alive():
            assert time.monotonic() - began < READY_WITHIN_S, "no process ended"
            time.sleep(POLL_S)
        status = next(one.server.wait() for one in self.roles if not one.server.alive())
        for one in self._armed:
            one.server.kill9()
        return status

    def pause_persist(self) -> None:
        """Stop the projections' processes."""
        self._paused.add("persist")
        for one in self.of("persist"):
            one.server.send(signal.SIGTERM)
        for one in self.of("persist"):
            assert one.server.wait() == 0, one.server.output()

    def resume_persist(self) -> None:
        """Start the projections' processes."""
        self._paused.discard("persist")
        self.start()

    def ready(self) -> bool:
        """Tell whether every process says that it is ready."""
        return all(one.server.ready() for one in self.roles if one.role not in self._paused)

    def alive(self) -> bool:
        """Tell whether every process runs."""
        return all(one.server.alive() for one in self.roles if one.role not in self._paused)

    def memory_kib(self) -> int:
        """Return the resident memory of all processes."""
        return sum(one.server.memory_kib() for one in self._running())

    def output(self) -> str:
        """Return everything the processes printed, process by process."""
        return "\n".join(f"== {one.name}\n{one.server.output()}" for one in self.roles)

    def progress(self) -> str:
        """Return what the projections say of themselves, for a failure's report."""
        lines = []
        for one in self.of("persist"):
            status, metrics = fetch_status(f"{one.server.internal_url}/metrics")
            lines.append(f"== {one.name}, pid {one.server.pid}, /metrics {status}")
            lines += [line for line in metrics.splitlines() if line.startswith(PROGRESS)]
        return "\n".join(lines)

    def close(self) -> None:
        """End everything that still runs."""
        self.send(signal.SIGCONT)
        self.send(signal.SIGTERM)
        for one in self.roles:
            one.server.close()
        self._nginx.stop()
        self.stores.close()
