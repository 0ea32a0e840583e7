"""Cassandra nodes, on an address of the loopback network each."""

import socket
import struct
from pathlib import Path
from typing import Final

from deploy.local.java import fetch_jars, java
from deploy.local.node import TEMPLATES, JvmNode, receive
from deploy.local.plan import CASSANDRA_STORAGE, Plan

# Native protocol v4, https://cassandra.apache.org/doc/latest/cassandra/reference/native-protocol.html
OPTIONS: Final = 0x05
SUPPORTED: Final = 0x06


class CassandraNode(JvmNode):
    """Node `index` (from 1) of the stack's Cassandra cluster."""

    engine = "cassandra"

    def __init__(self, plan: Plan, *, index: int, home: Path, cache: Path) -> None:
        super().__init__(
            name=f"cassandra-{index}", home=home, address=plan.address("cassandra", index)
        )
        self._plan = plan
        self._index = index
        self._cache = cache

    def prepare(self) -> None:
        nodes = range(1, self._plan.cassandra + 1)
        storage = self._plan.base_port + CASSANDRA_STORAGE
        hosts = [self._plan.address("cassandra", node)[0] for node in nodes]
        self.render("logback.xml", {})
        self.render(
            "cassandra.yaml",
            {
                "cluster": f"groundswell-{self._plan.base_port}",
                "seeds": ",".join(f"{host}:{storage}" for host in hosts),
                "token": -(2**63) + (self._index - 1) * 2**64 // len(hosts),
                "host": self.host,
                "port": self.port,
                "storage_port": storage,
                "data": self.data,
                "memtable_mib": 256 if len(hosts) == 1 else 96,
            },
        )

    def command(self) -> list[str]:
        jars = fetch_jars("cassandra", cache=self._cache)
        alone = self._plan.cassandra == 1
        heap, direct = ("1024m", "512m") if alone else ("640m", "256m")
        return [
            java(),
            f"@{TEMPLATES / 'cassandra.jvm'}",
            *self.jvm_flags(heap=heap),
            f"-XX:MaxDirectMemorySize={direct}",
            f"-javaagent:{next(jars.glob('jamm-*.jar'))}",
            f"-Dcassandra.config=file://{self.home}/cassandra.yaml",
            f"-Dlogback.configurationFile={self.home}/logback.xml",
            f"-Dcassandra.storagedir={self.data}",
            *("-cp", f"{jars}/*", "org.apache.cassandra.service.CassandraDaemon"),
        ]

    def probe(self, connection: socket.socket) -> bool:
        """Ask for the options: the port opens once the node has joined the ring."""
        connection.sendall(struct.pack(">BBhBi", 0x04, 0, 0, OPTIONS, 0))
        version, _, _, opcode, size = struct.unpack(">BBhBi", receive(connection, 9))
        receive(connection, size)
        return (version, opcode) == (0x84, SUPPORTED)
