"""Costs that several legs hold at once come out again."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundswell.bench.capacity.fit import Leg, fan_out

costs = st.floats(min_value=0.0, max_value=50.0)


def legs(write: float, byte: float, slow: float, fast: float, *, late: float = 0.0) -> list[Leg]:
    """Return legs of these costs in microseconds, each dearer by `late` seconds."""
    found = []
    for viewers in (100, 5000):
        for rate, post in ((8.0, slow), (300.0, fast)):
            writes, deliveries = viewers * min(rate, 10.0), viewers * rate
            size = 60 * writes + 210 * deliveries
            cpu = (write * writes + byte * size + post * rate) / 1e6 + late
            found.append(
                Leg(
                    viewers=viewers,
                    rate=rate,
                    posts=round(rate),
                    cpu=cpu,
                    writes=writes,
                    deliveries=deliveries,
                    bytes=size,
                )
            )
    return found


@settings(max_examples=50)
@given(write=costs, byte=costs, slow=costs, fast=costs)
def test_the_costs_that_made_the_legs_are_found(write, byte, slow, fast):
    """A write, a byte and a post at each rate, and the bytes of frame and comment."""
    found = fan_out(legs(write, byte / 1000, slow * 100, fast * 100))
    assert found.write_us == pytest.approx(write, rel=1e-3, abs=1e-3)
    assert found.byte_us == pytest.approx(byte / 1000, rel=1e-3, abs=1e-6)
    assert (found.frame_bytes, found.comment_bytes) == pytest.approx((60, 210))
    for (rate, cost), (expected_rate, expected) in zip(
        found.posts, ((8.0, slow * 100), (300.0, fast * 100)), strict=True
    ):
        assert rate == expected_rate
        assert cost == pytest.approx(expected, rel=1e-2, abs=20)


@settings(max_examples=50)
@given(st.lists(st.floats(min_value=0, max_value=10), min_size=4, max_size=4))
def test_noise_never_makes_a_cost_negative(noise):
    """Whatever a busy machine adds to a leg."""
    noisy = [
        Leg(
            viewers=leg.viewers,
            rate=leg.rate,
            posts=leg.posts,
            cpu=leg.cpu + more,
            writes=leg.writes,
            deliveries=leg.deliveries,
            bytes=leg.bytes,
        )
        for leg, more in zip(legs(8, 0.0005, 500, 200), noise, strict=True)
    ]
    found = fan_out(noisy)
    assert min(found.write_us, found.byte_us, *(cost for _, cost in found.posts)) >= 0


def test_the_cheapest_round_counts():
    """Others on the machine only ever make a leg dearer."""
    disturbed = legs(8, 0.0005, 500, 200, late=3.0)
    assert fan_out(disturbed + legs(8, 0.0005, 500, 200)).write_us == pytest.approx(8)


@pytest.mark.parametrize("kept", [slice(0, 3), slice(0, 2), slice(0, 0)])
def test_legs_that_do_not_tell_enough_are_refused(kept):
    """Two numbers of viewers at two rates, or nothing."""
    with pytest.raises(ValueError, match="two numbers of viewers"):
        fan_out(legs(8, 0.0005, 500, 200)[kept])
