"""The configurations that nodes are started with."""

import socket
import struct
import threading
from itertools import pairwise
from pathlib import Path

import pytest

from deploy.local.cassandra import CassandraNode
from deploy.local.errors import StackError
from deploy.local.java import fetch_jars, jar_folder
from deploy.local.kafka import KafkaNode
from deploy.local.node import TEMPLATES, Node, program
from deploy.local.nodes import make_nodes
from deploy.local.plan import Plan
from deploy.local.redis import RedisNode

THREE = Plan(kafka=3, cassandra=3)


def properties(file: Path) -> dict[str, str]:
    """Read a file of `name=value` lines."""
    lines = [line for line in file.read_text().splitlines() if line and line[0] != "#"]
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


def kafka(plan: Plan, home: Path, *, index: int = 1) -> dict[str, str]:
    """Return the configuration of a Kafka node whose storage is already formatted."""
    node = KafkaNode(plan, index=index, home=home, cache=home)
    node.data.mkdir()
    (node.data / "meta.properties").touch()
    node.prepare()
    return properties(home / "kafka.properties")


def cassandra(plan: Plan, home: Path, *, index: int) -> dict[str, str]:
    """Return the plain settings of a Cassandra node."""
    home.mkdir(exist_ok=True)
    CassandraNode(plan, index=index, home=home, cache=home).prepare()
    lines = (home / "cassandra.yaml").read_text().splitlines()
    pairs = [line.strip().removeprefix("- ").split(": ", 1) for line in lines if ": " in line]
    return {name: value.strip('"') for name, value in pairs}


def test_three_kafka_nodes_need_two_for_an_acknowledgement(tmp_path: Path) -> None:
    """What the server promises rests on these."""
    config = kafka(THREE, tmp_path, index=2)
    assert config["node.id"] == "2"
    assert config["default.replication.factor"] == "3"
    assert config["min.insync.replicas"] == "2"
    assert config["unclean.leader.election.enable"] == "false"
    assert config["auto.create.topics.enable"] == "false"
    assert config["controller.quorum.voters"] == (
        "1@127.0.0.1:19093,2@127.0.0.1:19095,3@127.0.0.1:19097"
    )
    assert config["listeners"] == "BROKER://127.0.0.1:19094,CONTROLLER://127.0.0.1:19095"


def test_one_kafka_node_replicates_nothing(tmp_path: Path) -> None:
    """A single node could never reach a replication of three."""
    config = kafka(Plan(), tmp_path)
    assert config["default.replication.factor"] == config["min.insync.replicas"] == "1"
    assert config["offsets.topic.replication.factor"] == "1"


def test_cassandra_nodes_share_the_ring_evenly(tmp_path: Path) -> None:
    """Tokens are a third of the ring apart, and every node is a seed."""
    nodes = [cassandra(THREE, tmp_path / str(index), index=index) for index in (1, 2, 3)]
    tokens = [int(node["initial_token"]) for node in nodes]
    assert tokens[0] == -(2**63)
    assert {later - earlier for earlier, later in pairwise(tokens)} == {2**64 // 3}
    assert {node["seeds"] for node in nodes} == {"127.0.0.1:17000,127.0.0.2:17000,127.0.0.3:17000"}
    assert [node["listen_address"] for node in nodes] == ["127.0.0.1", "127.0.0.2", "127.0.0.3"]


def test_cassandra_takes_the_batches_that_the_server_writes(tmp_path: Path) -> None:
    """A hundred rows of 2 KiB pass without a warning."""
    config = cassandra(Plan(), tmp_path, index=1)
    assert config["batch_size_warn_threshold"] == "256KiB"
    assert config["batch_size_fail_threshold"] == "1024KiB"


def test_redis_writes_nothing_to_disk(tmp_path: Path) -> None:
    """It is a cache."""
    RedisNode(Plan(), home=tmp_path).prepare()
    lines = (tmp_path / "redis.conf").read_text().splitlines()
    assert {"appendonly no", 'save ""', "maxmemory 256mb", "port 16379"} <= set(lines)


def test_nodes_of_a_plan_are_named_and_apart(tmp_path: Path) -> None:
    """Each has a folder of its own, called as the node is."""
    nodes = make_nodes(THREE, folder=tmp_path, cache=tmp_path)
    assert list(nodes) == THREE.names()
    assert [node.home for node in nodes.values()] == [tmp_path / name for name in nodes]
    assert len({(node.host, node.port) for node in nodes.values()}) == len(nodes)


def test_no_template_names_a_host_outside_the_loopback_network() -> None:
    """Everything that listens does so where only this machine can reach it."""
    for template in TEMPLATES.iterdir():
        assert "0.0.0.0" not in template.read_text(), template  # noqa: S104 -- looked for


def test_jars_are_fetched_once(tmp_path: Path) -> None:
    """A folder that is there is used without Maven."""
    folder = jar_folder("kafka", cache=tmp_path)
    folder.mkdir(parents=True)
    assert fetch_jars("kafka", cache=tmp_path) == folder


def test_a_missing_program_is_named_with_the_cure() -> None:
    """The error says what to run."""
    with pytest.raises(StackError, match=r"no-such-engine is not installed\ninstall the engines"):
        program("no-such-engine")


def metadata(*brokers: tuple[int, str]) -> bytes:
    """Return a reply of Kafka that lists brokers by id and host."""
    body = struct.pack(">ii", 1, len(brokers))
    for number, host in brokers:
        body += struct.pack(">ih", number, len(host)) + host.encode()
        body += struct.pack(">ih", 9092, -1)
    return struct.pack(">i", len(body)) + body


@pytest.mark.parametrize(
    ("reply", "healthy"),
    [
        (metadata((1, "127.0.0.1"), (2, "127.0.0.1")), True),
        (metadata((1, "127.0.0.1"), (3, "a-longer-host")), False),
        (metadata(), False),
        (b"\0\0\0\x04", False),
        (b"\0\0\0\x02??", False),
    ],
)
def test_a_kafka_node_is_healthy_once_the_cluster_lists_it(
    tmp_path: Path, reply: bytes, *, healthy: bool
) -> None:
    """A fenced node answers, and is not in its own answer."""
    node = KafkaNode(THREE, index=2, home=tmp_path, cache=tmp_path)
    assert is_healthy(node, reply) is healthy


@pytest.mark.parametrize(("reply", "healthy"), [(b"+PONG\r\n", True), (b"-LOADING", False)])
def test_redis_is_healthy_once_it_answers(tmp_path: Path, reply: bytes, *, healthy: bool) -> None:
    """While it loads its data it says so."""
    assert is_healthy(RedisNode(Plan(), home=tmp_path), reply) is healthy


def is_healthy(node: Node, reply: bytes) -> bool:
    """Ask a node that is played by a socket which sends `reply` to whoever connects."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        node.host, node.port = server.getsockname()

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1024)
                connection.sendall(reply)

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            return node.is_healthy()
        finally:
            thread.join()
