"""What a stack consists of, and where it listens."""

from pathlib import Path
from typing import Any

import pytest

from deploy.local.environment import environment
from deploy.local.errors import StackError
from deploy.local.plan import Plan


def test_every_engine_listens_on_its_well_known_port_plus_the_base() -> None:
    """Kafka's nodes differ in port, Cassandra's in address."""
    plan = Plan(kafka=3, cassandra=3, base_port=11_000)
    assert [port for _, port in plan.addresses("kafka")] == [20_092, 20_094, 20_096]
    assert plan.addresses("cassandra") == [
        ("127.0.0.1", 20_042),
        ("127.0.0.2", 20_042),
        ("127.0.0.3", 20_042),
    ]
    assert plan.addresses("redis") == [("127.0.0.1", 17_379)]
    assert plan.addresses("postgresql") == [("127.0.0.1", 16_432)]


def test_stacks_with_bases_100_apart_share_no_port() -> None:
    """Each Kafka node has a second port, for its controller."""

    def ports(base: int) -> set[int]:
        plan = Plan(kafka=3, base_port=base)
        kafka = {port for _, port in plan.addresses("kafka")}
        others = {plan.address(engine)[1] for engine in ("cassandra", "redis", "postgresql")}
        return {*kafka, *(port + 1 for port in kafka), *others, base + 7000}

    seen = [ports(base) for base in range(10_000, 13_000, 100)]
    assert sum(map(len, seen)) == len(set().union(*seen))


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"kafka": 4}, "kafka: 0 to 3 nodes, not 4"),
        ({"redis": -1}, "redis: 0 to 1 nodes"),
        ({"kafka": 0, "cassandra": 0, "redis": 0, "postgresql": 0}, "at least one engine"),
        ({"base_port": 23_001}, "base port: 0 to 23000"),
        ({"cpus": {"kafka-2": "1"}}, "no engine or node is called 'kafka-2'"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(options: dict[str, Any], complaint: str) -> None:
    """The message names the option and its bounds."""
    with pytest.raises(StackError, match=complaint):
        Plan(**options)


def test_a_nodes_own_processors_beat_its_engines() -> None:
    """Pinning takes an engine or one node."""
    plan = Plan(kafka=2, cpus={"kafka": "0", "kafka-2": "1"})
    assert [plan.pinned(name) for name in ("kafka-1", "kafka-2", "redis")] == ["0", "1", None]


def test_a_saved_plan_is_read_back(tmp_path: Path) -> None:
    """Later commands need the folder only."""
    plan = Plan(kafka=3, redis=0, base_port=12_300, cpus={"kafka": "1"})
    plan.save(tmp_path / "stack.json")
    assert Plan.load(tmp_path / "stack.json") == plan


@pytest.mark.parametrize("text", ["", "[]", '{"kafka": 9}', '{"zookeeper": 1}'])
def test_a_file_that_is_no_plan_is_refused(tmp_path: Path, text: str) -> None:
    """A folder of something else is not taken for a stack."""
    (tmp_path / "stack.json").write_text(text)
    with pytest.raises(StackError):
        Plan.load(tmp_path / "stack.json")


def test_the_environment_names_every_engine_of_the_stack() -> None:
    """A server started with it uses all nodes, and replicates as far as they go."""
    assert environment(Plan(kafka=3)) == {
        "GROUNDSWELL_LOG_ENGINE": "kafka",
        "GROUNDSWELL_KAFKA_SERVERS": "127.0.0.1:19092,127.0.0.1:19094,127.0.0.1:19096",
        "GROUNDSWELL_KAFKA_REPLICATION": "3",
        "GROUNDSWELL_KAFKA_MIN_INSYNC": "2",
        "GROUNDSWELL_STORE_ENGINE": "cassandra",
        "GROUNDSWELL_CASSANDRA_HOSTS": "127.0.0.1",
        "GROUNDSWELL_CASSANDRA_PORT": "19042",
        "GROUNDSWELL_CASSANDRA_REPLICATION": "1",
        "GROUNDSWELL_ACCOUNTS_URL": (
            "postgresql://groundswell:groundswell@127.0.0.1:15432/groundswell"
        ),
        "GROUNDSWELL_CACHE_ENGINE": "redis",
        "GROUNDSWELL_REDIS_URL": "redis://127.0.0.1:16379/0",
    }


def test_the_environment_is_one_the_configuration_takes() -> None:
    """No variable is misspelt, and what is left out stays embedded."""
    from groundswell.config import load

    settings = load(file=None, environ=environment(Plan(kafka=3, cassandra=0)), flags={})
    assert settings.log.engine == "kafka"
    assert settings.kafka.replication == 3
    assert settings.store.engine == "sqlite"
