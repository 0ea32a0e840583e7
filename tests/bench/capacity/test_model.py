"""The arithmetic: monotone where more is more, linear where it says so, units in their places."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundswell.bench.capacity.model import (
    Event,
    UnitsMissing,
    cost,
    fan_out_cores,
    frames_of,
    least,
    post_cores,
    viewer_bytes,
)

viewers = st.floats(min_value=1, max_value=1e8)
rates = st.floats(min_value=0, max_value=1e5)
events = st.builds(
    Event,
    viewers=viewers,
    comments=rates,
    reactions=rates,
    display_rate=st.sampled_from([0.0, 20.0, 50.0]),
    tick=st.sampled_from([0.02, 0.1, 0.25, 1.0]),
)


def test_frames_are_comments_while_those_are_rare_and_ticks_when_they_are_not(units):
    """Two comments a second are two frames; two hundred at a tick of 250 ms are four."""
    rare = frames_of(Event(viewers=1, comments=2, tick=0.25), units)
    assert (rare.per_second, rare.bytes) == (2, 60 + 210)
    many = frames_of(Event(viewers=1, comments=200, tick=0.25), units)
    assert (many.per_second, many.bytes) == (4, 60 + 50 * 210)


def test_a_room_above_its_display_rate_sends_as_many_frames_of_fewer_comments(units):
    """What is left out costs no bytes, and its frame is sent all the same."""
    shown = frames_of(Event(viewers=1, comments=200, display_rate=20, tick=0.25), units)
    assert (shown.per_second, shown.comments, shown.bytes) == (4, 20, 60 + 5 * 210)


def test_a_frame_carries_no_more_totals_than_a_room_allows(units):
    """As many as comments get reactions, and never more than there are reactions."""
    event = Event(viewers=1, comments=100, reactions=1e6, tick=0.25, reacted=1e4)
    assert frames_of(event, units).totals == 200
    assert frames_of(dataclasses.replace(event, reactions=40), units).totals == 10
    assert frames_of(dataclasses.replace(event, reactions=0), units).totals == 0


def test_fan_out_is_what_a_person_would_reckon(units):
    """10,000 viewers, 4 frames of 1,110 bytes a second, and pings: by hand."""
    event = Event(viewers=10_000, comments=200, display_rate=20, tick=0.25)
    assert fan_out_cores(event, units) == pytest.approx(
        10_000 * (4 * (8 + 1110 * 0.0005) + 1) / 1e6
    )


def test_bytes_of_a_viewer_hold_heads_and_pings(units):
    """A frame of one segment has one head; a ping goes out and an answer comes in."""
    event = Event(viewers=1, comments=4, tick=0.25)
    out, into = viewer_bytes(event, units, ping_interval=25)
    assert out == pytest.approx(4 * (270 + 66) + (60 + 66) / 25)
    assert into == pytest.approx(4 * 66 + 2 * 66 / 25)


@settings(max_examples=50)
@given(event=events, more=st.floats(min_value=1, max_value=100))
def test_fan_out_is_linear_in_viewers(units, event, more):
    """Twice the viewers, twice the CPU; a viewer's bytes stay."""
    grown = dataclasses.replace(event, viewers=event.viewers * more)
    assert fan_out_cores(grown, units) == pytest.approx(more * fan_out_cores(event, units))
    of_one = viewer_bytes(event, units, ping_interval=25)
    assert viewer_bytes(grown, units, ping_interval=25) == of_one


@settings(max_examples=50)
@given(event=events, more=st.floats(min_value=0, max_value=1e5))
def test_more_comments_never_cost_less(units, event, more):
    """At any display rate and tick."""
    grown = dataclasses.replace(event, comments=event.comments + more, reactions=0)
    less = dataclasses.replace(event, reactions=0)
    assert fan_out_cores(grown, units) >= fan_out_cores(less, units) * (1 - 1e-9)


@settings(max_examples=50)
@given(event=events)
def test_a_longer_tick_never_costs_more_cpu(units, event):
    """The same comments in fewer frames."""
    event = dataclasses.replace(event, reactions=0)
    longer = dataclasses.replace(event, tick=event.tick * 2)
    assert fan_out_cores(longer, units) <= fan_out_cores(event, units) * (1 + 1e-9)


@settings(max_examples=50)
@given(rate=rates, more=rates)
def test_more_posts_are_never_less_work(units, rate, more):
    """Below, between and above the rates that were measured."""
    assert post_cores(units, rate + more) >= post_cores(units, rate)


@pytest.mark.parametrize(
    ("rate", "cores"), [(0, 0), (8, 0.004), (300, 0.06), (8000, 0.8), (16_000, 1.6)]
)
def test_posts_cost_what_was_measured_at_the_rates_that_were(units, rate, cores):
    """And above the greatest what they cost there."""
    assert post_cores(units, rate) == pytest.approx(cores)


def test_legs_that_contradict_each_other_do_not_make_more_posts_cheaper(units):
    """A disturbed leg at a low rate counts for the higher ones too."""
    odd = dataclasses.replace(units["post"], points=((8.0, 20_000.0), (300.0, 100.0)))
    assert post_cores({"post": odd}, 8) == post_cores({"post": odd}, 300) == pytest.approx(0.16)


def test_a_unit_that_is_not_there_is_named():
    """Nothing is reckoned without it."""
    with pytest.raises(UnitsMissing, match="no result file tells write"):
        cost({}, "write")
    with pytest.raises(UnitsMissing, match="post"):
        post_cores({}, 5)


@settings(max_examples=50)
@given(wanted=st.integers(min_value=1, max_value=1000))
def test_least_finds_the_smallest_number_that_is_enough(wanted):
    """Or says that none is."""
    assert least(lambda n: n >= wanted, most=1000) == wanted
    assert least(lambda n: n >= wanted, most=wanted - 1 or 1) in (None, 1)
