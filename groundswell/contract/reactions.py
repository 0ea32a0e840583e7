"""The closed table of reactions. Counts everywhere are lists in the order of this table."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReactionType:
    """One row: `code` is stored (0 means "none"), `name` is posted, `plural` names its count."""

    code: int
    name: str
    plural: str


REACTION_TYPES = (
    ReactionType(1, "like", "likes"),
    ReactionType(2, "love", "loves"),
    ReactionType(3, "haha", "hahas"),
    ReactionType(4, "wow", "wows"),
    ReactionType(5, "sad", "sads"),
    ReactionType(6, "angry", "angries"),
)
BY_NAME = {row.name: row for row in REACTION_TYPES}
NO_REACTION = 0

Counts = Sequence[int]
"""How many of each type, in table order. Readers pad a shorter list with zeros."""

NO_COUNTS: Counts = (0,) * len(REACTION_TYPES)


def counts_by_name(counts: Counts) -> dict[str, int]:
    """Return `{"likes": 11, "loves": 3, ...}` with every type, zeros included."""
    return dict(zip(_PLURALS, (*counts, *NO_COUNTS[len(counts) :]), strict=False))


def chosen_by_name(counts: Counts) -> dict[str, int]:
    """Return the same without the types that nobody chose: an absent type is zero."""
    return {name: n for name, n in zip(_PLURALS, counts, strict=False) if n}


def counts_json(counts: Counts) -> bytes:
    """Write counts as compact JSON with the types that are not zero; an absent type is zero."""
    pairs = zip(_KEYS, counts, strict=False)
    return b"{" + b",".join(b"%b%d" % (key, n) for key, n in pairs if n) + b"}"


def counts_json_full(counts: Counts) -> bytes:
    """Write counts as compact JSON with every type, zeros included."""
    width = len(NO_COUNTS)
    return _FULL % (*counts[:width], *NO_COUNTS[len(counts) :])


_PLURALS = tuple(row.plural for row in REACTION_TYPES)
_KEYS = tuple(b'"%b":' % row.plural.encode() for row in REACTION_TYPES)
_FULL = (
    b"{" + b",".join(key + b"%d" for key in _KEYS) + b"}"
)  # one format for all: a sixth of the cost
