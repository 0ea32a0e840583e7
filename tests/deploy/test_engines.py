"""All engines of a stack that runs already; its folder is in GROUNDSWELL_STACK_FOLDER."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.errors import StackError
from deploy.local.stack import Stack

TOPICS = "org.apache.kafka.tools.TopicCommand"
FOLDER = os.environ.get("GROUNDSWELL_STACK_FOLDER")

pytestmark = [
    pytest.mark.stack,
    pytest.mark.skipif(not FOLDER, reason="GROUNDSWELL_STACK_FOLDER names no running stack"),
]


@pytest.fixture
def stack() -> Stack:
    """Return the running stack."""
    return Stack(Path(FOLDER or ""), report=lambda _: None)


@pytest.fixture
def topic(stack: Stack) -> Iterator[str]:
    """Make a topic and delete it afterwards."""
    name = f"deploy-test-{uuid.uuid4()}"
    stack.kafka_tool(TOPICS, "--create", "--topic", name, "--partitions", "2")
    yield name
    stack.kafka_tool(TOPICS, "--delete", "--topic", name)


def test_every_node_serves(stack: Stack) -> None:
    """Nodes found in the folder answer in their own protocols."""
    assert {node.state for node in stack.status()} == {"up"}


def test_a_new_topic_is_replicated_as_the_stack_is_planned(stack: Stack, topic: str) -> None:
    """Kafka's own tools run on the same jars."""
    described = stack.kafka_tool(TOPICS, "--describe", "--topic", topic)
    assert f"ReplicationFactor: {stack.plan.kafka}" in described
    assert f"min.insync.replicas={stack.plan.min_insync}" in described


def test_a_tool_that_fails_says_why(stack: Stack) -> None:
    """The error carries what the tool printed."""
    with pytest.raises(StackError, match=r"TopicCommand failed:\n.*no-such-topic"):
        stack.kafka_tool(TOPICS, "--delete", "--topic", "no-such-topic")
