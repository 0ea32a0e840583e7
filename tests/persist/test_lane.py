"""How much the lanes of a projection hold while nothing can be written."""

import pytest

from groundswell.persist.lane import LANE_ROWS_MAX, LANE_ROWS_MIN, ROWS_MAX, rows_of_a_lane


@pytest.mark.parametrize("lanes", [0, 1, 8, 64, 128])
def test_all_lanes_together_are_bounded(lanes: int) -> None:
    """One lane has no more than a transaction wants, many have a fair share."""
    rows = rows_of_a_lane(lanes)
    assert LANE_ROWS_MIN <= rows <= LANE_ROWS_MAX
    assert rows * lanes <= ROWS_MAX


def test_a_lane_can_always_work() -> None:
    """However many there are."""
    assert rows_of_a_lane(4096) == LANE_ROWS_MIN
