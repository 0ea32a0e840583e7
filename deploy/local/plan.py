"""What a stack consists of, and which address each part of it has."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from deploy.local.errors import StackError

HOST: Final = "127.0.0.1"
ENGINES: Final = ("kafka", "cassandra", "redis", "postgresql")
MOST_NODES: Final[Mapping[str, int]] = {"kafka": 3, "cassandra": 3, "redis": 1, "postgresql": 1}

# Every engine listens on its well-known port plus the stack's base.
WELL_KNOWN: Final[Mapping[str, int]] = {
    "kafka": 9092,
    "cassandra": 9042,
    "redis": 6379,
    "postgresql": 5432,
}
CASSANDRA_STORAGE: Final = 7000
DEFAULT_BASE_PORT: Final = 10_000
HIGHEST_BASE_PORT: Final = 23_000  # ports from 32,768 on belong to outgoing connections


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How many nodes of each engine run, and where.

    `base_port` is added to each engine's well-known port; stacks side by side need bases at least
    100 apart. `cpus` pins an engine or one node to processors, in the words of taskset: `"0,2-3"`.

    Raises:
        StackError: a number is out of its bounds, or `cpus` names an unknown node.
    """

    kafka: int = 1
    cassandra: int = 1
    redis: int = 1
    postgresql: int = 1
    base_port: int = DEFAULT_BASE_PORT
    cpus: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for engine in ENGINES:
            if not 0 <= self.count(engine) <= MOST_NODES[engine]:
                raise StackError(
                    f"{engine}: 0 to {MOST_NODES[engine]} nodes, not {self.count(engine)}"
                )
        if not any(map(self.count, ENGINES)):
            raise StackError("a stack needs at least one engine")
        if not 0 <= self.base_port <= HIGHEST_BASE_PORT:
            raise StackError(f"base port: 0 to {HIGHEST_BASE_PORT}, not {self.base_port}")
        for name in self.cpus:
            if name not in ENGINES and name not in self.names():
                raise StackError(f"cpus: no engine or node is called {name!r}")

    def count(self, engine: str) -> int:
        """Return how many nodes of an engine there are.

        Raises:
            StackError: there is no such engine.
        """
        if engine not in ENGINES:
            raise StackError(f"no engine is called {engine!r}; there are {', '.join(ENGINES)}")
        number: int = getattr(self, engine)
        return number

    def names(self) -> list[str]:
        """Return the node names: `kafka-1`, `cassandra-1`, ..., `redis`, `postgresql`."""
        return [
            f"{engine}-{index}" if MOST_NODES[engine] > 1 else engine
            for engine in ENGINES
            for index in range(1, self.count(engine) + 1)
        ]

    def address(self, engine: str, index: int = 1) -> tuple[str, int]:
        """Return where clients find a node; `index` starts at 1.

        Kafka's nodes share an address and differ in port; Cassandra's share a port, as its
        drivers expect, and have an address each.
        """
        port = self.base_port + WELL_KNOWN[engine]
        if engine == "kafka":
            return HOST, port + 2 * (index - 1)
        if engine == "cassandra":
            return f"127.0.0.{index}", port
        return HOST, port

    def addresses(self, engine: str) -> list[tuple[str, int]]:
        """Return the addresses of an engine's nodes, in order."""
        return [self.address(engine, index) for index in range(1, self.count(engine) + 1)]

    @property
    def min_insync(self) -> int:
        """Kafka nodes that must have a record before it is acknowledged."""
        return 2 if self.kafka > 2 else 1

    def pinned(self, name: str) -> str | None:
        """Return the processors a node is pinned to; a node's own entry beats its engine's."""
        return self.cpus.get(name) or self.cpus.get(name.partition("-")[0])

    def save(self, file: Path) -> None:
        """Write the plan, so that later commands need the folder only."""
        file.write_text(json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def load(cls, file: Path) -> "Plan":
        """Read what `save` wrote.

        Raises:
            StackError: the folder holds no stack, or the file is not a plan.
        """
        try:
            return cls(**json.loads(file.read_text()))
        except FileNotFoundError:
            raise StackError(
                f"no stack in {file.parent}", hint="start one: python3 -m deploy.local up"
            ) from None
        except (ValueError, TypeError) as error:
            raise StackError(f"{file} is not a plan: {error}") from None
