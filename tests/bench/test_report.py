"""Tables and bounds say what they mean."""

import pytest

from groundswell.bench.machine import CoreUse
from groundswell.bench.report import bound, table
from groundswell.bench.traffic import offered


@pytest.mark.parametrize(
    ("server", "client", "expected"),
    [
        (CoreUse(95, 0), CoreUse(20, 0), "server"),
        (CoreUse(40, 0), CoreUse(95, 2), "client"),
        (CoreUse(95, 0), CoreUse(95, 0), "server, client"),
        (CoreUse(60, 35), CoreUse(20, 0), "others on the server core"),
        (CoreUse(60, 20), CoreUse(20, 0), ""),
    ],
)
def test_a_full_core_is_named_as_the_bound(server, client, expected):
    """Above 90 %, and told apart from a core that others filled."""
    assert bound(server=server, client=client) == expected


def test_a_table_lines_up_and_shows_what_is_missing():
    """Numbers keep four digits; what was not measured is a dash, not a zero."""
    rows = [{"server": "limit", "rate": 491932.0, "lag": None}, {"server": "x", "rate": 0.0123456}]
    lines = table(rows).splitlines()
    assert lines[0] == "| server | rate    | lag |"
    assert lines[2] == "| limit  | 491,932 | -   |"
    assert lines[3] == "| x      | 0.01235 | -   |"
    assert len({len(line) for line in lines}) == 1


@pytest.mark.parametrize(
    ("rate", "seconds", "comments"), [(100, 0.5, 50), (1, 10, 10), (1, 0.5, 1), (3, 0.5, 2)]
)
def test_offered_counts_the_comments_due_before_the_end(rate, seconds, comments):
    """Comment k is due at k / rate."""
    assert offered(rate, seconds) == comments
