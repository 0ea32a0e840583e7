"""Rounds of a leg are put together, and columns know which way is better."""

import pytest

from groundswell.bench import rounds
from tests.bench import shapes


@pytest.mark.parametrize(
    ("column", "way"),
    [
        ("p99 ms", "lower"),
        ("fan-out p50 ms", "lower"),
        ("CPU us/delivery", "lower"),
        ("RSS KiB/viewer", "lower"),
        ("lost viewers", "lower"),
        ("posts/s", "higher"),
        ("per s of a full core", "higher"),
        ("delivered %", "higher"),
        ("comments/s", None),
        ("large comments/s", None),
        ("server busy %", None),
        ("MB sent", None),
        ("processes", None),
    ],
)
def test_a_column_says_which_way_is_better(column, way):
    """Rates of load and how busy somebody was are neither."""
    assert rounds.better(column) == way


def test_a_leg_is_all_rows_under_the_same_load():
    """The number of the round does not tell legs apart; who filled a core in any round is kept."""
    rows = shapes.ingest_rows(100.0, 300.0, 200.0)
    rows[-1]["bounded by"] = "client"
    bare, ours = rounds.legs(rows)
    assert (bare.name, ours.name, ours.rounds) == ("bare_post", "groundswell", 3)
    assert ours.figures["posts/s"] == rounds.Figure(200.0, 100.0, 300.0, 3)
    assert ours.figures["posts/s"].spread == 1.0
    assert ours.bounds == ("server", "client")
    assert "round" not in ours.figures


def test_legs_of_another_load_stand_apart():
    """By their rate, as in the table; the place is what legs beside each other share."""
    legs = rounds.legs(shapes.fanout_rows())
    assert len(legs) == 6
    assert legs[0].place == legs[1].place == {"comments/s": 10.0, "viewers": 5000}


def test_what_was_not_measured_has_no_figure():
    """None is not zero, and a word is not a number."""
    (leg,) = rounds.legs([{"server": "x", "lag end": None, "totals": "exact", "ok": True}])
    assert leg.figures == {}
