"""A position says how far somebody has read: `<epoch>:<offset>`.

The offset is the next one to read in the `events` partition of the video; the epoch names that
log for good, so a position of a log that was deleted and made anew never matches.
"""

import re
from dataclasses import dataclass

EPOCH = re.compile(r"[0-9a-f]{16}")
_POSITION = re.compile(r"([0-9a-f]{16}):(0|[1-9][0-9]{0,15})")  # < 2^53, exact in JavaScript


class BadPosition(ValueError):
    """The text is not a position."""


@dataclass(frozen=True, slots=True)
class Position:
    """The next offset to read in a video's `events` partition."""

    epoch: str
    offset: int

    def __str__(self) -> str:
        return f"{self.epoch}:{self.offset}"

    @classmethod
    def parse(cls, text: str) -> "Position":
        """Read the text form; raises `BadPosition`, which never repeats the text."""
        match = _POSITION.fullmatch(text)
        if match is None:
            raise BadPosition("position is not <16 hex digits>:<offset>")
        return cls(match[1], int(match[2]))
