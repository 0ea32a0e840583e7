"""Redis: one node, nothing on disk."""

import socket
from pathlib import Path
from typing import Final

from deploy.local.node import Node, program, receive
from deploy.local.plan import Plan

MAX_MEMORY_MB: Final = 256
PONG: Final = b"+PONG\r\n"


class RedisNode(Node):
    """The stack's Redis."""

    engine = "redis"

    def __init__(self, plan: Plan, *, home: Path) -> None:
        super().__init__(name="redis", home=home, address=plan.address("redis"))

    def prepare(self) -> None:
        self.data.mkdir(exist_ok=True)
        values = {"host": self.host, "port": self.port, "data": self.data}
        self.render("redis.conf", {**values, "maxmemory_mb": MAX_MEMORY_MB})

    def command(self) -> list[str]:
        return [program("redis-server"), str(self.home / "redis.conf")]

    def probe(self, connection: socket.socket) -> bool:
        connection.sendall(b"PING\r\n")
        return receive(connection, len(PONG)) == PONG
