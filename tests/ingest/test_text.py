"""What a comment's text may be."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundswell.contract.problems import Refused
from groundswell.ingest.text import MARKS_MAX, TEXT_MAX, clean_text


@pytest.mark.parametrize(
    "text",
    [
        "This is awesome!",
        "two\nlines\tand a tab",
        "مرحبا بالعالم \u200f!",  # a right-to-left mark is part of ordinary Arabic text
        "नमस्ते दुनिया",
        "Việt Nam",
        "👨\u200d👩\u200d👧 family",
        "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",  # Scotland
        "<script>alert(1)</script>",  # kept as written, escaped where it is shown
        "x" * TEXT_MAX,
        "漢" * TEXT_MAX,
    ],
)
def test_ordinary_text_is_kept(text: str) -> None:
    """Living scripts, emoji and markup pass unchanged."""
    assert clean_text(text) == unicodedata.normalize("NFC", text)


def test_text_is_stripped_and_composed() -> None:
    """What is kept is NFC without white space around it."""
    assert clean_text("  cafe\u0301\n") == "caf\u00e9"


def test_length_is_counted_after_composition() -> None:
    """A decomposed text of 500 characters is not too long."""
    assert clean_text("e\u0301" * TEXT_MAX) == "\u00e9" * TEXT_MAX


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "text_empty"),
        (" \n\t ", "text_empty"),
        ("\u200b\u200d", "text_empty"),
        ("\u3164", "text_empty"),
        ("\u115f\u1160 \u00ad", "text_empty"),
        ("\u2800\ufeff", "text_empty"),
        ("\U000e0100\ufe0f", "text_empty"),
        ("x" * (TEXT_MAX + 1), "text_too_long"),
        ("漢" * (TEXT_MAX + 1), "text_too_long"),
        ("x" * 16_000, "text_too_long"),
        ("a\x00b", "text_forbidden"),
        ("a\x1b[31mb", "text_forbidden"),
        ("a\rb", "text_forbidden"),
        ("a\x7f", "text_forbidden"),
        ("a\u0085é", "text_forbidden"),
        ("\x1c", "text_forbidden"),
        ("é\u202egnp.exe", "text_forbidden"),
        ("é\u2066x\u2069", "text_forbidden"),
        ("hidden\U000e0061\U000e0062", "text_forbidden"),
        ("\U0001f3f4\U000e0078\U000e007f", "text_forbidden"),  # no such flag
        ("\ud800", "text_forbidden"),
        ("\ufffe", "text_forbidden"),
        ("Z" + "\u0301" * (MARKS_MAX + 1), "text_forbidden"),
        ("a" + "\u0301\u0323" * 900, "text_forbidden"),
        ("x" + "\u0344" * MARKS_MAX, "text_forbidden"),  # each of these is two marks in NFC
    ],
)
def test_text_that_disturbs_or_shows_nothing_is_refused(text: str, code: str) -> None:
    """Each kind of refusal has its code."""
    with pytest.raises(Refused) as caught:
        clean_text(text)
    assert caught.value.code == code


@settings(max_examples=300)
@given(st.text(st.characters(), max_size=600))
def test_any_text_is_kept_in_normal_form_or_refused(text: str) -> None:
    """What passes is 1-500 characters, encodable, stable under a second pass."""
    try:
        kept = clean_text(text)
    except Refused:
        return
    assert 1 <= len(kept) <= TEXT_MAX
    assert kept.encode()
    assert clean_text(kept) == kept


@settings(max_examples=100)
@given(st.text(st.sampled_from("aé \u0301\u0344\u200d\u3164\u202e\U000e0061"), max_size=40))
def test_odd_characters_in_any_order_never_pass_unseen(text: str) -> None:
    """No mixture of special characters gets a forbidden one through."""
    try:
        kept = clean_text(text)
    except Refused:
        return
    assert not {"\u202e", "\U000e0061"} & set(kept)
    assert set(kept) - set(" \u200d\u3164")
