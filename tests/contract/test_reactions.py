"""Counts of reactions as JSON."""

import json

from hypothesis import given
from hypothesis import strategies as st

from groundswell.contract.reactions import (
    BY_NAME,
    NO_REACTION,
    REACTION_TYPES,
    chosen_by_name,
    counts_by_name,
    counts_json,
    counts_json_full,
)

COUNTS = st.lists(st.integers(0, 2**53 - 1), max_size=len(REACTION_TYPES))


def test_codes_are_places_in_the_table():
    """Counts are lists in the table's order, codes are stored: neither may ever change."""
    assert [row.code for row in REACTION_TYPES] == list(range(1, len(REACTION_TYPES) + 1))
    assert [row.name for row in REACTION_TYPES] == ["like", "love", "haha", "wow", "sad", "angry"]
    assert NO_REACTION not in {row.code for row in REACTION_TYPES}


def test_names_and_plurals_are_unique():
    """Each is a key of a JSON object."""
    assert len(BY_NAME) == len({row.plural for row in REACTION_TYPES}) == len(REACTION_TYPES)


@given(COUNTS)
def test_all_forms_say_the_same(counts):
    """Compact without zeros, compact with them, and as a mapping; short lists are padded."""
    padded = [*counts, *[0] * (len(REACTION_TYPES) - len(counts))]
    expected = {row.plural: n for row, n in zip(REACTION_TYPES, padded, strict=True)}
    assert counts_by_name(counts) == expected
    assert json.loads(counts_json_full(counts)) == expected
    chosen = {name: n for name, n in expected.items() if n}
    assert chosen_by_name(counts) == json.loads(counts_json(counts)) == chosen


def test_no_counts_are_an_empty_object():
    """An absent type is zero."""
    assert counts_json(()) == b"{}"
    assert counts_json((0, 3)) == b'{"loves":3}'
