"""Comment ids: unique, increasing, verifiable for one video and one secret only."""

import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundswell.contract.ids import COMMENT_ID, CommentIds, display_hash, time_ms_of

SECRET = b"s" * 32
NOW = 1_727_354_096_789


def ids(times=(NOW,), *, secret=SECRET, process=1):
    """Return a minter whose clock gives these times, the last of them for ever."""
    remaining = list(times)
    return CommentIds(
        secret,
        now_ms=lambda: remaining.pop(0) if len(remaining) > 1 else remaining[0],
        process_random=process,
    )


def test_an_id_is_a_uuid_of_version_7_with_the_time_in_it():
    """Any UUID library can read it (RFC 9562)."""
    comment_id = ids().mint("v")
    parsed = uuid.UUID(comment_id)
    assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)
    assert str(parsed) == comment_id
    assert time_ms_of(comment_id) == NOW


@settings(max_examples=50)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=200), st.integers(-10_000, 10_000))
def test_ids_increase_whatever_the_clock_does(steps, jump):
    """Standing still, jumping ahead or going back."""
    times = [NOW + sum(steps[:n]) for n in range(len(steps))]
    times += [time + jump for time in times]
    minter = ids(times)
    minted = [minter.mint("v") for _ in times]
    assert minted == sorted(set(minted))


def test_more_ids_than_a_millisecond_holds_still_increase():
    """The counter runs over into the time."""
    minter = ids()
    minted = [minter.mint("v") for _ in range(10_000)]
    assert minted == sorted(set(minted))
    assert time_ms_of(minted[-1]) - NOW == 2


def test_two_processes_never_mint_the_same():
    """Their random bits differ."""
    one, two = ids(process=1), ids(process=2)
    assert not {one.mint("v") for _ in range(100)} & {two.mint("v") for _ in range(100)}


@given(st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20))
@settings(max_examples=50)
def test_an_id_is_issued_for_its_own_video_only(video, other):
    """Another process with the secret says the same."""
    comment_id = ids().mint(video)
    assert ids(process=9).issued(video, comment_id)
    assert ids().issued(other, comment_id) == (video == other)


def test_another_secret_did_not_issue_it():
    """Without the secret there is nothing to pass."""
    assert not ids(secret=b"t" * 32).issued("v", ids().mint("v"))


@given(st.integers(0, 35), st.sampled_from("0123456789abcdef"))
def test_changing_any_digit_is_found(at, digit):
    """Time, counter, random and MAC are all covered."""
    comment_id = ids().mint("v")
    changed = comment_id[:at] + digit + comment_id[at + 1 :]
    assert ids().issued("v", changed) == (changed == comment_id)


@given(st.text(max_size=40))
def test_anything_else_was_not_issued(text):
    """Any text is answered, never an exception."""
    assert not ids().issued("v", text)


def test_an_id_with_capital_letters_was_not_issued():
    """There is one spelling, so ids compare as text."""
    assert not ids().issued("v", ids().mint("v").upper())


def test_a_short_secret_is_refused():
    """The text says how long it must be."""
    with pytest.raises(ValueError, match="needs 16"):
        CommentIds(b"short", now_ms=lambda: NOW)


def test_display_hashes_are_spread_evenly():
    """A tenth of the ids is below a tenth of the range, more or less."""
    minter = ids()
    low = sum(display_hash(minter.mint("v")) < 2**32 // 10 for _ in range(5000))
    assert 400 < low < 600


def test_the_pattern_takes_whole_ids_only():
    """It is used on what clients send."""
    comment_id = ids().mint("v")
    assert COMMENT_ID.fullmatch(comment_id)
    assert not COMMENT_ID.fullmatch(comment_id + "\n")
