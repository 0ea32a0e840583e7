"""The life of a stack, with the two real engines that start within a second."""

import json
import socket

import pytest

from deploy.local.errors import StackError
from deploy.local.plan import Plan
from deploy.local.stack import Stack

pytestmark = pytest.mark.stack


def states(stack: Stack) -> dict[str, str]:
    """Return the state of every node."""
    return {node.name: node.state for node in stack.status()}


def test_a_stack_goes_up_and_down(small_stack: Stack) -> None:
    """Up twice and down twice are as good as once."""
    small_stack.up()
    pids = [small_stack.pid(name) for name in small_stack.nodes]
    small_stack.up()
    assert [small_stack.pid(name) for name in small_stack.nodes] == pids
    assert states(small_stack) == {"redis": "up", "postgresql": "up"}
    assert all(node.memory > 0 for node in small_stack.status())
    small_stack.down()
    small_stack.down()
    assert states(small_stack) == {"redis": "down", "postgresql": "down"}


def test_a_killed_node_comes_back(small_stack: Stack) -> None:
    """Others stay as they are, and waiting for a dead node fails at once."""
    small_stack.up()
    redis = small_stack.pid("redis")
    small_stack.kill("postgresql")
    assert states(small_stack) == {"redis": "up", "postgresql": "down"}
    with pytest.raises(StackError, match="postgresql: does not run"):
        small_stack.wait_healthy("postgresql")
    small_stack.start("postgresql")
    small_stack.wait_healthy("postgresql")
    assert small_stack.pid("redis") == redis


def test_a_paused_node_answers_nobody_until_it_is_resumed(small_stack: Stack) -> None:
    """Its address still takes connections."""
    small_stack.up()
    small_stack.pause("redis")
    assert states(small_stack)["redis"] == "paused"
    with pytest.raises(StackError, match="does not serve"):
        small_stack.wait_healthy("redis", seconds=0.0)
    with socket.create_connection(*small_stack.addresses("redis"), timeout=1.0):
        small_stack.resume("redis")
    small_stack.wait_healthy("redis")


def test_a_paused_node_ends_with_its_stack(small_stack: Stack) -> None:
    """Down wakes it up first."""
    small_stack.up()
    small_stack.pause("redis")
    small_stack.down()
    assert states(small_stack)["redis"] == "down"


def test_another_process_finds_the_stack_by_its_folder(small_stack: Stack) -> None:
    """Nodes belong to the folder, not to who started them."""
    small_stack.up()
    found = Stack(small_stack.folder, report=lambda _: None)
    assert found.plan == small_stack.plan
    assert found.pid("redis") == small_stack.pid("redis")
    found.down()
    assert small_stack.pid("redis") is None


def test_a_start_that_was_cut_off_is_finished_by_the_next(small_stack: Stack) -> None:
    """Half of a database is thrown away, and a torn pid file is no process."""
    half = small_stack.folder / "postgresql" / "data"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("15\n")
    (small_stack.folder / "pids").mkdir()
    (small_stack.folder / "pids" / "redis.json").write_text('{"pid":')
    small_stack.up()
    assert states(small_stack) == {"redis": "up", "postgresql": "up"}


def test_a_stranger_with_a_nodes_pid_survives_down(small_stack: Stack) -> None:
    """A pid file that outlived its node harms nobody."""
    small_stack.up()
    small_stack.kill("redis")
    pid = small_stack.pid("postgresql")
    stranger = {"pid": pid, "started": 1, "boot": "of yesterday"}
    (small_stack.folder / "pids" / "redis.json").write_text(json.dumps(stranger))
    assert small_stack.pid("redis") is None
    small_stack.stop("redis")
    assert small_stack.pid("postgresql") == pid


def test_a_taken_port_is_told_before_anything_starts_there(small_stack: Stack) -> None:
    """Else the stranger's answers would pass for the node's."""
    with (
        socket.create_server(*small_stack.addresses("redis")),
        pytest.raises(StackError, match=r"redis: somebody else listens on .*\n.*--base-port"),
    ):
        small_stack.up()


def test_another_plan_needs_the_old_one_wiped(small_stack: Stack) -> None:
    """Wiping removes the data and makes room for another plan."""
    small_stack.up()
    other = Plan(kafka=0, cassandra=0, postgresql=0, base_port=small_stack.plan.base_port)
    with pytest.raises(StackError, match="another stack"):
        Stack(small_stack.folder, plan=other)
    small_stack.down(wipe=True)
    assert not small_stack.folder.exists()
    assert Stack(small_stack.folder, plan=other).plan == other
