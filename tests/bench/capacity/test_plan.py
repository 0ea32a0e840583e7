"""The whole answer: tables, what was assumed, and what is missing."""

import dataclasses
import json

import pytest

from groundswell.bench import report
from groundswell.bench.capacity import plan as planning
from groundswell.bench.capacity.model import Event, UnitsMissing
from groundswell.bench.capacity.sizing import Headroom, Node
from groundswell.bench.capacity.units import UNITS

EVENT = Event(viewers=10e6, comments=16_666, reactions=166_000, display_rate=20)


def plan(event, units):
    """Plan an hour of it."""
    return planning.plan(event, units, node=Node(), headroom=Headroom(), hours=1)


def test_every_role_has_its_row_and_the_tables_can_be_printed(units):
    """In words and numbers that fit a table."""
    found = plan(EVENT, units)
    table = report.table(planning.needs_rows(found))
    for role in ("broker", "ingest", "persist", "Kafka", "Cassandra"):
        assert f"| {role} " in table
    assert "Kafka partitions" in report.table(planning.figures_rows(found))
    assert dict(planning.sections(found))["Assumed"]


def test_log_and_store_follow_from_the_rates(units):
    """An hour of both, three replicas in the log; a day as busy as that in the store."""
    found = plan(EVENT, units)
    assert found.log["events"] == pytest.approx(16_666 * 340)
    assert found.log_kept == pytest.approx(3 * 3600 * (16_666 * 340 + 166_000 * 55))
    assert found.rows == pytest.approx(16_666 + 166_000 + 200 * 10)
    assert found.rows_stored == pytest.approx(3600 * (16_666 + 166_000))


def test_partitions_are_a_power_of_two_and_never_below_the_default(units):
    """So many that the tally's processes have several each."""
    assert plan(Event(viewers=10, comments=1), units).partitions == 64
    busy = plan(dataclasses.replace(EVENT, reactions=2e6), units).partitions
    assert busy > 64
    assert busy & (busy - 1) == 0


def test_all_units_that_are_missing_are_named_at_once(units):
    """Not one after the other."""
    few = {name: unit for name, unit in units.items() if name not in ("write", "join")}
    with pytest.raises(UnitsMissing) as missing:
        plan(EVENT, few)
    assert missing.value.names == ["write", "join"]


def test_what_may_be_missing_is_told_in_the_plan(units):
    """Kernel memory wants root, Cassandra's CPU wants engines; neither stops the plan."""
    few = {name: unit for name, unit in units.items() if name != "viewer's kernel"}
    assert any(line.startswith("viewer's kernel") for line in plan(EVENT, few).missing)
    assert not any(line.startswith("viewer's kernel") for line in plan(EVENT, units).missing)


def test_what_bounds_a_figure_and_where_it_comes_from_is_told(units):
    """By the unit's name."""
    noted = units | {"join": dataclasses.replace(units["join"], note="bounded by viewers")}
    found = plan(EVENT, noted)
    assert "join: bounded by viewers" in found.bounded
    assert found.sources == ["made-up.json: calibrate of today, commit abc, a machine"]


def test_an_event_that_cannot_be_served_is_planned_as_far_as_it_goes(units):
    """The row of the role is empty, and the reason comes first."""
    found = plan(dataclasses.replace(EVENT, comments=200_000), units)
    row = planning.needs_rows(found)[0]
    assert (row["role"], row["nodes"]) == ("broker", None)
    assert planning.sections(found)[0][0] == "Too much for one process or one node"


def test_everything_is_also_data(units):
    """JSON with each unit's cost, kind and source."""
    found = json.loads(json.dumps(planning.as_json(plan(EVENT, units), units)))
    assert found["units"].keys() == UNITS.keys()
    assert found["units"]["frame"]["in"] == "bytes"
    assert found["needs"][0]["role"] == "broker"
