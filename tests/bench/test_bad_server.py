"""A bad server cannot look good: each of its faults is counted, exactly."""

import dataclasses

import pytest

from groundswell.bench import fanout, targets, traffic
from groundswell.bench.peers import bad
from groundswell.bench.targets import COMMENTS

VIEWERS, EVERY, RATE = 10, 20, 200.0


@pytest.fixture
def measured(run, monkeypatch):
    """Measure a server with the faults that are named; return its row and the record behind it."""
    monkeypatch.setattr(fanout, "SETTLE_TIME", 0.05)
    # A comment is answered when it has been sent: what is not there then will never be.
    monkeypatch.setattr(traffic, "PATIENCE", 0.0)
    # One connection: a comment is posted when the one before it was answered, so that there is an
    # order to be held against the server. How many there are is up to the machine.
    run = dataclasses.replace(run, seconds=1.0, writers=1)

    def measure(*faults):
        arguments = ["--faults", ",".join(faults), "--every", str(EVERY)]
        with targets.peer("bad", core=None, arguments=arguments, dialect=COMMENTS) as server:
            return fanout.measure_server(run, server, viewers=VIEWERS, rate=RATE)

    return measure


def touched(detail, turn):
    """Return how many deliveries a fault touches whose turn this is, of all viewers."""
    posted = detail["writers"]["ok"]
    return sum((n + viewer) % EVERY == turn for n in range(posted) for viewer in range(VIEWERS))


def test_the_same_server_without_a_fault_has_no_errors(measured):
    """What is told of the others is not the bench's own doing."""
    row, detail = measured("none")
    assert row["errors"] == ""
    assert detail["saw"]["comments"] == VIEWERS * detail["writers"]["ok"] > 0


def test_dropped_comments_are_missing(measured):
    """One of twenty deliveries is not there, and the table says so."""
    row, detail = measured("drop")
    assert row["errors"] == f"{touched(detail, EVERY // 2)} missing"


def test_reordered_comments_are_out_of_order(measured):
    """What was held back came behind one that was posted after it had been answered."""
    row, detail = measured("reorder")
    # Whoever's turn it was with the very last comment is still owed it.
    owed = VIEWERS * detail["writers"]["ok"] - detail["saw"]["comments"]
    assert owed <= 1
    disordered = touched(detail, EVERY // 4) - owed
    assert detail["saw"]["disordered"] == disordered > 0
    assert f"{disordered} out of order" in row["errors"]


def test_comments_that_come_twice_are_no_deliveries(measured):
    """They are counted apart, and do not make up for what is missing."""
    row, detail = measured("twice", "drop")
    missing, twice = touched(detail, EVERY // 2), touched(detail, 3 * EVERY // 4)
    assert row["errors"] == f"{missing} missing, {twice} twice"
    assert detail["saw"]["comments"] == VIEWERS * detail["writers"]["ok"] - missing


def test_a_server_that_is_late_shows_in_the_latency(measured):
    """No comment can be there sooner than it lets it go."""
    row, _ = measured("late")
    assert row["p50 ms"] >= 1000 * bad.LATE
    assert row["errors"] == ""
