"""What a comment's text may be, and the form in which it is kept: NFC, stripped.

Text is stored as it was written and escaped where it is shown; here only that is refused which
would disturb how *other* text is shown, or which shows nothing at all.
"""

import re
import unicodedata
from typing import Final

from groundswell.contract.problems import Refused

TEXT_MAX: Final = 500  # code points, after NFC
MARKS_MAX: Final = 4  # combining marks on one base; no living script needs more
# NFC shrinks a text to a quarter at most (a Greek vowel and its three marks), so whatever is
# longer than this is too long in the end. It bounds the work below.
_RAW_MAX: Final = 4 * TEXT_MAX

_ASCII_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")

# The three flags that are spelled with tag characters: England, Scotland, Wales (Unicode
# TR51, "RGI emoji tag sequence set"). Every other use of tag characters hides text.
_TAGGED_FLAGS = re.compile(
    "\U0001f3f4\U000e0067\U000e0062(?:"
    "\U000e0065\U000e006e\U000e0067|\U000e0073\U000e0063\U000e0074|\U000e0077\U000e006c\U000e0073"
    ")\U000e007f"
)


def _characters(*ranges: tuple[int, int]) -> frozenset[str]:
    return frozenset(chr(code) for first, last in ranges for code in range(first, last + 1))


_CONTROLS = _characters((0x00, 0x08), (0x0B, 0x1F), (0x7F, 0x9F))
_BIDI = _characters((0x202A, 0x202E), (0x2066, 0x2069))
_TAGS = _characters((0xE0000, 0xE007F))
_NOT_TEXT = (  # lone surrogates, noncharacters, interlinear annotation
    _characters((0xD800, 0xDFFF), (0xFDD0, 0xFDEF), (0xFFF9, 0xFFFB))
    | {chr(plane << 16 | low) for plane in range(17) for low in (0xFFFE, 0xFFFF)}
)
_FORBIDDEN = _CONTROLS | _BIDI | _TAGS | _NOT_TEXT

_MARKS = frozenset(
    chr(code)
    for first, last in (
        (0x0300, 0x20FF),
        (0x2C00, 0x2DFF),
        (0x3000, 0x30FF),
        (0xA600, 0xFE2F),
        (0x10000, 0x1EFFF),
    )
    for code in range(first, last + 1)
    if unicodedata.category(chr(code)) in {"Mn", "Me"}
)
_UNSEEN = frozenset(chr(code) for code in range(0x3001) if chr(code).isspace()) | _characters(
    (0x00AD, 0x00AD),  # soft hyphen
    (0x034F, 0x034F),  # combining grapheme joiner
    (0x061C, 0x061C),  # Arabic letter mark
    (0x115F, 0x1160),  # Hangul fillers
    (0x17B4, 0x17B5),  # Khmer inherent vowels
    (0x180B, 0x180F),  # Mongolian selectors and separator
    (0x200B, 0x200F),  # zero-width space and joiners, direction marks
    (0x2060, 0x206F),  # word joiner, invisible operators
    (0x2800, 0x2800),  # blank Braille pattern
    (0x3164, 0x3164),  # Hangul filler
    (0xFE00, 0xFE0F),  # variation selectors
    (0xFEFF, 0xFEFF),  # byte order mark
    (0xFFA0, 0xFFA0),  # halfwidth Hangul filler
    (0x1D159, 0x1D159),  # musical null notehead
    (0x1D173, 0x1D17A),  # musical format controls
    (0xE0100, 0xE01EF),  # variation selectors supplement
)


def clean_text(text: str) -> str:
    """Return the text as it is kept; raises `Refused` with a `text_...` code."""
    if len(text) > _RAW_MAX:
        raise Refused("text_too_long")
    if text.isascii():
        if not text.isprintable() and _ASCII_CONTROL.search(text):
            raise Refused("text_forbidden", "control character")
        kept = text.strip()
    else:
        kept = _clean_unicode(text)
    if not kept:
        raise Refused("text_empty")
    if len(kept) > TEXT_MAX:
        raise Refused("text_too_long")
    return kept


def _clean_unicode(text: str) -> str:
    present = set(text)
    if not _FORBIDDEN.isdisjoint(present):
        _refuse_forbidden(text)
    if not _MARKS.isdisjoint(present):
        # Before NFC too: sorting a long run of marks takes quadratic time.
        _refuse_marks(text)
    kept = unicodedata.normalize("NFC", text).strip()
    if kept != text and not _MARKS.isdisjoint(kept):
        _refuse_marks(kept)  # a few marks, U+0344 for one, become two
    if present <= _UNSEEN:
        raise Refused("text_empty")
    return kept


def _refuse_forbidden(text: str) -> None:
    """Raise `Refused`, unless all that is forbidden here are the tags of a flag."""
    found = _FORBIDDEN.intersection(_TAGGED_FLAGS.sub("", text))
    if not found:
        return
    for kind, members in (
        ("control character", _CONTROLS),
        ("bidirectional override or isolate", _BIDI),
        ("tag character", _TAGS),
    ):
        if not members.isdisjoint(found):
            raise Refused("text_forbidden", kind)
    raise Refused("text_forbidden", "lone surrogate or noncharacter")


def _refuse_marks(text: str) -> None:
    run = 0
    for character in text:
        if character in _MARKS:
            run += 1
            if run > MARKS_MAX:
                raise Refused("text_forbidden", f"more than {MARKS_MAX} combining marks in a row")
        else:
            run = 0
