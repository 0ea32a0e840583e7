"""Names of a test's own in engines that it shares with others."""

import asyncio
import os
import secrets
import threading
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import asyncpg
import redis
from aiokafka.admin import AIOKafkaAdminClient
from cassandra.cluster import EXEC_PROFILE_DEFAULT, ExecutionProfile
from cassandra.cluster import Cluster as CassandraCluster
from cassandra.policies import RoundRobinPolicy

from groundswell.contract.ports.log import Topic
from tests.acceptance.harness.deployment import OPTIONS, SECRET
from tests.acceptance.harness.server_process import run_command

PARTITIONS = 8  # 64 cost seconds to make and prove nothing more
MIGRATES_WITHIN_S = 120.0
# Two cores have six of our processes, a Kafka and a Cassandra to run: with the default of 50 ms
# Redis is bypassed now and then although nothing is wrong with it, and what it knew goes unseen.
REDIS_TIMEOUT_S = "1"
_VARIABLES = ("KAFKA_SERVERS", "CASSANDRA_HOSTS", "ACCOUNTS_URL", "REDIS_URL")

_Result = TypeVar("_Result")


def run_blocking(work: Coroutine[Any, Any, _Result]) -> _Result:
    """Run a coroutine to its end on a loop and a thread of its own; blocks the caller."""
    results: list[_Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(asyncio.run(work))
        except BaseException as error:  # noqa: BLE001 - raised again by whoever waits
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


@dataclass(frozen=True, slots=True)
class Engines:
    """Addresses of Kafka, Cassandra, PostgreSQL and Redis."""

    kafka_servers: str  # host:port, separated by commas
    cassandra_hosts: str
    cassandra_port: int
    accounts_url: str  # of a database that we may connect to, to make our own
    redis_url: str
    kafka_nodes: int = 1
    cassandra_nodes: int = 1

    @classmethod
    def of(cls, variables: Mapping[str, str], *, kafka_nodes: int = 1) -> "Engines":
        """Return the engines that variables of the environment name."""
        return cls(
            variables["GROUNDSWELL_KAFKA_SERVERS"],
            variables["GROUNDSWELL_CASSANDRA_HOSTS"],
            int(variables.get("GROUNDSWELL_CASSANDRA_PORT", "9042")),
            variables["GROUNDSWELL_ACCOUNTS_URL"],
            variables["GROUNDSWELL_REDIS_URL"],
            kafka_nodes=kafka_nodes,
        )

    @classmethod
    def of_environment(cls) -> "Engines | None":
        """Return the engines that our own environment names, None if one is missing."""
        if not all(os.environ.get(f"GROUNDSWELL_{name}") for name in _VARIABLES):
            return None
        return cls.of(os.environ)


MISSING = f"engines: set GROUNDSWELL_{', GROUNDSWELL_'.join(_VARIABLES)}, or run make test-stack"


class Namespace:
    """Topics, a keyspace, a database and keys that nobody else uses."""

    def __init__(self, engines: Engines, folder: Path) -> None:
        self.engines = engines
        self._folder = folder
        self.name = f"t{secrets.token_hex(5)}"
        self.prefix = f"{self.name}."
        self.keyspace = self.name
        parts = urlsplit(engines.accounts_url)
        self._database_url = parts._replace(path=f"/{self.name}").geturl()

    def topic(self, topic: Topic) -> str:
        """Return what Kafka calls a topic."""
        return f"{self.prefix}{topic.value}"

    def environment(self) -> dict[str, str]:
        """Return the whole environment of a process that works in this namespace."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("GROUNDSWELL_")}
        engines = self.engines
        return {
            **inherited,
            **OPTIONS,
            "GROUNDSWELL_SERVER_DATA": str(self._folder / "data"),
            "GROUNDSWELL_AUTH_SECRET": SECRET,
            "GROUNDSWELL_IDS_SECRET": SECRET[::-1],
            "GROUNDSWELL_LOG_ENGINE": "kafka",
            "GROUNDSWELL_KAFKA_SERVERS": engines.kafka_servers,
            "GROUNDSWELL_KAFKA_PREFIX": self.prefix,
            "GROUNDSWELL_KAFKA_PARTITIONS": str(PARTITIONS),
            "GROUNDSWELL_KAFKA_REPLICATION": str(engines.kafka_nodes),
            "GROUNDSWELL_KAFKA_MIN_INSYNC": str(min(2, engines.kafka_nodes)),
            "GROUNDSWELL_STORE_ENGINE": "cassandra",
            "GROUNDSWELL_CASSANDRA_HOSTS": engines.cassandra_hosts,
            "GROUNDSWELL_CASSANDRA_PORT": str(engines.cassandra_port),
            "GROUNDSWELL_CASSANDRA_KEYSPACE": self.keyspace,
            "GROUNDSWELL_CASSANDRA_REPLICATION": str(engines.cassandra_nodes),
            "GROUNDSWELL_ACCOUNTS_URL": self._database_url,
            "GROUNDSWELL_CACHE_ENGINE": "redis",
            "GROUNDSWELL_REDIS_URL": engines.redis_url,
            "GROUNDSWELL_REDIS_PREFIX": self.prefix,
            "GROUNDSWELL_REDIS_TIMEOUT": REDIS_TIMEOUT_S,
        }

    def make(self) -> None:
        """Make the database, then have `groundswell migrate` make the rest."""
        run_blocking(self._execute(f'CREATE DATABASE "{self.name}"'))
        self.migrate()

    def migrate(self) -> None:
        """Run `groundswell migrate`; it must succeed."""
        result = run_command("migrate", environment=self.environment(), within=MIGRATES_WITHIN_S)
        assert result.returncode == 0, result.stdout + result.stderr

    def drop(self) -> None:
        """Delete everything in it."""
        run_blocking(self.delete_topics())
        with CassandraSession(self.engines) as session:
            session.execute(f"DROP KEYSPACE IF EXISTS {self.keyspace}")
        cache = redis.Redis.from_url(self.engines.redis_url)
        with cache:
            for key in cache.scan_iter(f"{self.prefix}*", count=1000):
                cache.delete(key)
        run_blocking(self._execute(f'DROP DATABASE IF EXISTS "{self.name}" WITH (FORCE)'))

    async def delete_topics(self) -> None:
        """Delete all topics."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.engines.kafka_servers)
        await admin.start()
        try:
            topics = [one for one in await admin.list_topics() if one.startswith(self.prefix)]
            if topics:
                await admin.delete_topics(topics)
        finally:
            await admin.close()

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(self.engines.accounts_url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


class CassandraSession:
    """A session of our own; use it as a context, or call `close`."""

    def __init__(self, engines: Engines) -> None:
        self._cluster = CassandraCluster(
            engines.cassandra_hosts.split(","),
            port=engines.cassandra_port,
            protocol_version=5,
            execution_profiles={
                EXEC_PROFILE_DEFAULT: ExecutionProfile(
                    load_balancing_policy=RoundRobinPolicy(), request_timeout=30
                )
            },
        )
        self.session = self._cluster.connect()

    def __enter__(self) -> Any:
        return self.session

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go."""
        self._cluster.shutdown()
