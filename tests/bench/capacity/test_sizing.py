"""Nodes of a given size for each role, with headroom."""

import dataclasses
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundswell.bench.capacity import sizing
from groundswell.bench.capacity.model import Event
from groundswell.bench.capacity.sizing import Headroom, Node

NODE, HEADROOM = Node(), Headroom()
ROLES = (sizing.broker, sizing.ingest, sizing.persist, sizing.cassandra)
THE_EVENT = Event(viewers=10e6, comments=16_666, reactions=166_000, display_rate=20)
roles = pytest.mark.parametrize("role", ROLES, ids=lambda role: role.__name__)
sizes = st.floats(min_value=1, max_value=1e7)


@roles
@settings(max_examples=30)
@given(viewers=sizes, more=sizes)
def test_more_viewers_never_need_fewer_nodes(units, role, viewers, more):
    """Of any role."""
    event = dataclasses.replace(THE_EVENT, viewers=viewers)
    grown = dataclasses.replace(event, viewers=viewers + more)
    assert nodes(role(grown, units, NODE, HEADROOM)) >= nodes(role(event, units, NODE, HEADROOM))


@roles
@settings(max_examples=30)
@given(more=st.floats(min_value=1, max_value=10))
def test_bigger_nodes_are_never_more_nodes(units, role, more):
    """Cores, memory and network together."""
    node = Node(cores=NODE.cores * more, memory=NODE.memory * more, bandwidth=NODE.bandwidth * more)
    few = role(THE_EVENT, units, node, HEADROOM)
    assert nodes(few) <= nodes(role(THE_EVENT, units, NODE, HEADROOM))


@roles
@settings(max_examples=30)
@given(viewers=sizes, comments=st.floats(min_value=1, max_value=50_000))
def test_no_node_is_over_its_headroom(units, role, viewers, comments):
    """Without the spare ones, and spread evenly."""
    event = dataclasses.replace(THE_EVENT, viewers=viewers, comments=comments)
    need = role(event, units, NODE, HEADROOM)
    if need.nodes is None:
        return
    carrying = need.nodes - need.spare
    assert (need.load.cores or 0) <= carrying * NODE.cores * HEADROOM.busy * (1 + 1e-9)
    assert need.load.memory <= carrying * NODE.memory * HEADROOM.memory * (1 + 1e-9)
    for way in (need.load.out, need.load.into):
        assert way <= carrying * NODE.bandwidth * HEADROOM.network * (1 + 1e-9)


def nodes(need: sizing.Need) -> float:
    """Return how many, infinitely many where no number is enough."""
    return math.inf if need.nodes is None else need.nodes


def test_spare_nodes_come_on_top(units):
    """What carries the load does not change by them."""
    two = sizing.broker(THE_EVENT, units, NODE, Headroom(spare=2))
    none = sizing.broker(THE_EVENT, units, NODE, Headroom(spare=0))
    assert (two.nodes, two.load) == (none.nodes + 2, none.load)


def test_what_decides_is_named(units):
    """A node with much of everything but one thing is short of that."""
    poor = {"cores": 1.0, "memory": 2.0**30, "bandwidth": 1e7}
    rich = {"cores": 1e4, "memory": 2.0**50, "bandwidth": 1e13}
    names = {"cores": "cores", "memory": "memory", "bandwidth": "bandwidth out"}
    for what, name in names.items():
        node = Node(**{**rich, what: poor[what]})
        assert sizing.broker(THE_EVENT, units, node, HEADROOM).decided_by == name


def test_a_video_that_one_event_loop_cannot_read_has_no_number_of_brokers(units):
    """Each process reads all of it, so more of them do not help."""
    event = dataclasses.replace(THE_EVENT, comments=200_000)
    need = sizing.broker(event, units, NODE, HEADROOM)
    assert need.nodes is None
    assert "reading this video alone" in need.notes[0]


def test_every_broker_process_reads_the_whole_video(units):
    """Smaller nodes are more processes, and more is read from Kafka."""
    few = sizing.broker(THE_EVENT, units, Node(cores=64, bandwidth=1e11), HEADROOM)
    many = sizing.broker(THE_EVENT, units, Node(cores=4, bandwidth=1e11), HEADROOM)
    assert many.processes > few.processes
    assert many.load.into > few.load.into
    logs = [sizing.kafka(THE_EVENT, units, NODE, HEADROOM, brokers=n) for n in (10, 1000)]
    assert logs[1].load.out > logs[0].load.out
    assert "leader of the video's partition" in logs[1].notes[0]


def test_log_and_store_are_never_on_fewer_nodes_than_replicas(units):
    """However little there is to do."""
    event = Event(viewers=1, comments=1)
    assert sizing.kafka(event, units, NODE, HEADROOM, brokers=1).nodes == 3 + 1
    assert sizing.cassandra(event, units, NODE, HEADROOM).nodes == 3 + 1


def test_cores_of_cassandra_are_told_only_where_engines_were_measured(units):
    """Elsewhere there is no figure, not a wrong one."""
    without = {name: unit for name, unit in units.items() if name != "Cassandra comment"}
    assert sizing.cassandra(THE_EVENT, without, NODE, HEADROOM).load.cores is None
    found = sizing.cassandra(THE_EVENT, units, NODE, HEADROOM).load.cores
    assert found == pytest.approx(3 * (16_666 * 11 + 166_000 * 20) / 1e6)


def test_comments_of_one_video_that_one_process_cannot_store_are_told_of(units):
    """They are one partition's."""
    event = dataclasses.replace(THE_EVENT, comments=100_000)
    assert "one process's work" in sizing.persist(event, units, NODE, HEADROOM).notes[0]
