"""Positions: what is written is read, and nothing else is."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.contract.position import BadPosition, Position

EPOCH = "0123456789abcdef"


@given(st.text("0123456789abcdef", min_size=16, max_size=16), st.integers(0, 10**16 - 1))
def test_a_position_survives_being_written(epoch, offset):
    """`parse(str(p)) == p`."""
    position = Position(epoch, offset)
    assert Position.parse(str(position)) == position


@given(st.one_of(st.text(), st.from_regex(r"[0-9a-fA-F]{15,17}:[+-]?[0-9_ ]*", fullmatch=True)))
def test_any_other_text_is_refused(text):
    """Accepted is only what `str` would write; anything else is `BadPosition`."""
    try:
        assert str(Position.parse(text)) == text
    except BadPosition:
        assert not re.fullmatch(r"[0-9a-f]{16}:(0|[1-9][0-9]{0,15})", text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        f"{EPOCH}:",
        f"{EPOCH}:01",
        f"{EPOCH}:-1",
        f"{EPOCH}:1\n",
        f" {EPOCH}:1",
        f"{EPOCH.upper()}:1",
        f"{EPOCH}:\u0661",
        f"{EPOCH}:" + "9" * 17,
    ],
)
def test_near_misses_are_refused(text):
    """Leading zeros, signs, capitals, other scripts' digits, too many digits."""
    with pytest.raises(BadPosition):
        Position.parse(text)


def test_the_error_does_not_repeat_what_was_sent():
    """It ends up in logs and answers."""
    with pytest.raises(BadPosition) as caught:
        Position.parse("<script>")
    assert "script" not in str(caught.value)
