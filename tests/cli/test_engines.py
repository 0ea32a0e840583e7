"""What `doctor` says of the engines that several processes share."""

import os
import subprocess
import sys
import uuid

import pytest
from click.testing import CliRunner

from groundswell.cli import cli
from groundswell.cli.engines import shared_engines
from groundswell.contract.settings import (
    CacheSettings,
    CassandraSettings,
    KafkaSettings,
    LogSettings,
    RedisSettings,
    Settings,
    StoreSettings,
)

ENGINES = {
    "log": LogSettings(engine="kafka"),
    "store": StoreSettings(engine="cassandra"),
    "cache": CacheSettings(engine="redis"),
}


def test_embedded_engines_are_not_asked() -> None:
    """There is nobody to ask: files of this process, and its memory."""
    assert shared_engines(Settings()) == []


_MAIN = "from groundswell.cli import main; main()"


def doctor(*arguments: str) -> tuple[int, str]:
    """Run it as operators do: drivers do what they like on a loop of their own."""
    ports = ("--port", "0", "--internal-port", "0")
    done = subprocess.run(
        [sys.executable, "-c", _MAIN, "doctor", *ports, *arguments],
        env={"PATH": os.environ["PATH"]},
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout


def test_engines_that_are_away_are_told_with_the_option_to_look_at() -> None:
    """Nothing listens on port 1: each says so in bounded time. Only Redis can be done without."""
    status, output = doctor(
        *("--set", "log.engine=kafka", "--set", "kafka.servers=127.0.0.1:1"),
        *("--set", "store.engine=cassandra", "--set", "cassandra.port=1"),
        *("--set", "accounts.url=postgresql://user:hunter2@127.0.0.1:1/groundswell"),
        *("--set", "cache.engine=redis", "--set", "redis.url=redis://:hunter2@127.0.0.1:1/0"),
    )
    lines = output.splitlines()
    for start, option in (
        ("fail  Kafka: ", "kafka.servers"),
        ("fail  Cassandra: ", "cassandra.hosts"),
        ("fail  accounts: ", "accounts.url"),
        ("warn  Redis: ", "redis.url"),
    ):
        (at,) = [number for number, line in enumerate(lines) if line.startswith(start)]
        assert option in lines[at + 1]
    assert "hunter2" not in output
    assert status == 1


def test_only_engines_that_are_chosen_are_asked() -> None:
    """One line for each."""
    _, output = doctor("--set", "cache.engine=redis", "--set", "redis.url=redis://127.0.0.1:1/0")
    assert "warn  Redis: " in output
    assert not any(name in output for name in ("Kafka", "Cassandra", "accounts"))


def test_a_process_without_public_port_needs_none() -> None:
    """`persist` serves nobody."""
    arguments = ["doctor", "--internal-port", "0", "--set", "server.roles=persist"]
    assert "server.port" not in CliRunner().invoke(cli, arguments).stdout


@pytest.mark.stack
@pytest.mark.skipif("GROUNDSWELL_KAFKA_SERVERS" not in os.environ, reason="no engines are named")
def test_engines_that_were_never_migrated_are_told_what_to_run() -> None:
    """Reachable is not enough; and asking makes nothing."""
    name = f"doctor{uuid.uuid4().hex[:8]}"
    settings = Settings(
        **ENGINES,
        kafka=KafkaSettings(
            servers=tuple(os.environ["GROUNDSWELL_KAFKA_SERVERS"].split(",")), prefix=f"{name}."
        ),
        cassandra=CassandraSettings(
            hosts=tuple(os.environ["GROUNDSWELL_CASSANDRA_HOSTS"].split(",")),
            port=int(os.environ.get("GROUNDSWELL_CASSANDRA_PORT", "9042")),
            keyspace=name,
        ),
        redis=RedisSettings(url=os.environ["GROUNDSWELL_REDIS_URL"]),
    )
    for _ in range(2):
        kafka, cassandra, redis = shared_engines(settings)
        assert "groundswell migrate" in (kafka.problem or "")
        assert f"no keyspace {name}" in (cassandra.problem or "")
        assert (redis.problem, redis.found) == (None, "answers")
