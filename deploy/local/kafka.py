"""Kafka nodes: KRaft, broker and controller in one process."""

import base64
import hashlib
import socket
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from deploy.local.errors import StackError
from deploy.local.java import fetch_jars, java
from deploy.local.node import JvmNode, receive
from deploy.local.plan import HOST, Plan

FORMAT_SECONDS: Final = 120.0
TOOL_FLAGS: Final = ("-Xmx128m", "-XX:TieredStopAtLevel=1")  # run for a second
ERROR_CHARACTERS: Final = 2000  # of a failed tool's output
METADATA: Final = 3  # https://kafka.apache.org/protocol#The_Messages_Metadata


class KafkaNode(JvmNode):
    """Node `index` (from 1) of the stack's Kafka cluster."""

    engine = "kafka"

    def __init__(self, plan: Plan, *, index: int, home: Path, cache: Path) -> None:
        super().__init__(name=f"kafka-{index}", home=home, address=plan.address("kafka", index))
        self._plan = plan
        self._index = index
        self._cache = cache

    def prepare(self) -> None:
        nodes = range(1, self._plan.kafka + 1)
        controllers = [self._plan.address("kafka", node)[1] + 1 for node in nodes]
        self.render("log4j2.properties", {})
        config = self.render(
            "kafka.properties",
            {
                "node_id": self._index,
                "voters": ",".join(
                    f"{node}@{HOST}:{port}" for node, port in zip(nodes, controllers, strict=True)
                ),
                "host": self.host,
                "port": self.port,
                "controller_port": self.port + 1,
                "data": self.data,
                "replicas": self._plan.kafka,
                "min_insync": self._plan.min_insync,
            },
        )
        if (self.data / "meta.properties").exists():
            return
        arguments = ["format", "--ignore-formatted", "-t", self._cluster_id(), "-c", str(config)]
        main = "kafka.tools.StorageTool"
        _run_main(main, arguments, cache=self._cache, seconds=FORMAT_SECONDS)

    def command(self) -> list[str]:
        heap = "768m" if self._plan.kafka == 1 else "512m"
        flags = [
            *self.jvm_flags(heap=heap),
            *("-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20"),
            f"-Dlog4j2.configurationFile={self.home}/log4j2.properties",
        ]
        return [
            *java_command(self._cache, *flags),
            *("kafka.Kafka", str(self.home / "kafka.properties")),
        ]

    def probe(self, connection: socket.socket) -> bool:
        """Ask for the cluster's metadata: the node serves once the controller has unfenced it."""
        body = struct.pack(">hhih5si", METADATA, 1, 1, 5, b"stack", 0)  # version 1, no topics
        connection.sendall(struct.pack(">i", len(body)) + body)
        (size,) = struct.unpack(">i", receive(connection, 4))
        reply = receive(connection, size)
        (brokers,) = struct.unpack_from(">i", reply, 4)
        position = 8
        for _ in range(brokers):
            node_id, length = struct.unpack_from(">ih", reply, position)
            if node_id == self._index:
                return True
            position += 6 + length + 4
            (rack,) = struct.unpack_from(">h", reply, position)
            position += 2 + max(rack, 0)
        return False

    def _cluster_id(self) -> str:
        # The same for all nodes without asking one another: it follows from the stack's folder.
        digest = hashlib.sha256(str(self.home.parent).encode()).digest()
        return base64.urlsafe_b64encode(digest[:16]).decode().rstrip("=")


def run_tool(
    main: str,
    arguments: Sequence[str],
    *,
    servers: Sequence[tuple[str, int]],
    cache: Path,
    seconds: float,
) -> str:
    """Run one of Kafka's main classes with `--bootstrap-server` and return its output.

    Raises:
        StackError: it failed, or took longer than `seconds`.
    """
    given = ["--bootstrap-server", ",".join(f"{host}:{port}" for host, port in servers)]
    return _run_main(main, [*given, *arguments], cache=cache, seconds=seconds)


def java_command(cache: Path, *flags: str) -> list[str]:
    """Return the command that runs a main class of Kafka, without the class."""
    jars = fetch_jars("kafka", cache=cache)
    return [java(), *flags, "-cp", f"{jars}/*"]


def _run_main(main: str, arguments: Sequence[str], *, cache: Path, seconds: float) -> str:
    try:
        done = subprocess.run(  # noqa: S603 -- Kafka's own tools
            [*java_command(cache, *TOOL_FLAGS), main, *arguments],
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise StackError(f"{main} took more than {seconds:.0f} s") from None
    if done.returncode != 0:
        output = (done.stdout + done.stderr)[:ERROR_CHARACTERS].rstrip()
        raise StackError(f"{main} failed:\n{output}")
    return done.stdout
