"""The nodes of a plan, and what they look like from outside."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deploy.local.cassandra import CassandraNode
from deploy.local.kafka import KafkaNode
from deploy.local.node import Node
from deploy.local.plan import Plan
from deploy.local.postgresql import PostgresqlNode
from deploy.local.process import Process
from deploy.local.redis import RedisNode


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """A node as found at one moment. `state` is `up`, `starting`, `paused` or `down`."""

    name: str
    address: str
    state: str
    pid: int | None
    memory: int  # resident bytes

    @classmethod
    def of(cls, node: Node, process: Process | None) -> "NodeStatus":
        """Look at a node; `process` is None if it does not run."""
        address = f"{node.host}:{node.port}"
        if process is None:
            return cls(name=node.name, address=address, state="down", pid=None, memory=0)
        state = "up" if node.is_healthy() else "starting"
        if process.is_paused():
            state = "paused"
        return cls(
            name=node.name,
            address=address,
            state=state,
            pid=process.pid,
            memory=process.memory(),
        )


def make_nodes(plan: Plan, *, folder: Path, cache: Path) -> dict[str, Node]:
    """Return the nodes of a plan by name, in the order of the plan."""
    return {node.name: node for node in _nodes(plan, folder=folder, cache=cache)}


def _nodes(plan: Plan, *, folder: Path, cache: Path) -> Iterator[Node]:
    for index in range(1, plan.kafka + 1):
        yield KafkaNode(plan, index=index, home=folder / f"kafka-{index}", cache=cache)
    for index in range(1, plan.cassandra + 1):
        yield CassandraNode(plan, index=index, home=folder / f"cassandra-{index}", cache=cache)
    if plan.redis:
        yield RedisNode(plan, home=folder / "redis")
    if plan.postgresql:
        yield PostgresqlNode(plan, home=folder / "postgresql")
