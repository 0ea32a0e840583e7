"""What the engines hold, read by ourselves: a check never rests on the server's word alone."""

from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from groundswell.contract.reactions import NO_REACTION, REACTION_TYPES

_PLURAL_OF_CODE = {row.code: row.plural for row in REACTION_TYPES}


@dataclass(slots=True)
class StoredReactions:
    """Totals as the store states them, and as its own rows add up."""

    stated: dict[str, dict[str, int]] = field(default_factory=dict)
    counted: dict[str, dict[str, int]] = field(default_factory=dict)

    def count(self, comment_id: str, code: int) -> None:
        """Add one row."""
        if code != NO_REACTION:
            counted = self.counted.setdefault(comment_id, {})
            plural = _PLURAL_OF_CODE[code]
            counted[plural] = counted.get(plural, 0) + 1


def reason_of(dead_letter: bytes) -> str:
    """Return why a record was put aside; the reason is the last field."""
    return str(msgspec.msgpack.decode(dead_letter)[-1])


class Stores(Protocol):
    """The engines of one deployment. Methods block."""

    def comments(self, video: str) -> list[tuple[str, str | None]]:
        """Return (comment id, ref) of a video's stored comments that are not deleted, in order."""
        ...

    def reactions(self, video: str) -> StoredReactions:
        """Return the totals of a video's comments, from the totals and from the rows."""
        ...

    def hearts(self, video: str) -> int:
        """Return how many hearts of a video the store has counted."""
        ...

    def logged(self, video: str) -> list[str]:
        """Return the ids of a video's comments in the log, in its order, duplicates included."""
        ...

    def dead_letters(self) -> list[str]:
        """Return why records were put aside."""
        ...

    def integrity(self) -> list[str]:
        """Return what the engines themselves find wrong with their files, if they can be asked."""
        ...
