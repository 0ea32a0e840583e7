"""What the writers were told: every acknowledgement, and what must be true because of it."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

PLURALS = {
    "like": "likes",
    "love": "loves",
    "haha": "hahas",
    "wow": "wows",
    "sad": "sads",
    "angry": "angries",
}


@dataclass(slots=True)
class Sent:
    """A comment that was sent; `comment_id` is set once it was acknowledged."""

    video: str
    user: str
    text: str
    ref: str
    reply_to: str | None = None
    comment_id: str | None = None
    offset: int | None = None  # of the position in the acknowledgement


@dataclass(slots=True)
class History:
    """Everything that one population sent, and what it was answered.

    Of a thing whose outcome is unknown (the connection ended before the answer) nothing can be
    demanded until the writer has repeated it; `unsettled` tells whether any is left.
    """

    sent: dict[str, Sent] = field(default_factory=dict)  # by ref
    accepted: int = 0  # comments of them
    reactions: dict[tuple[str, str], str | None] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    hearts: Counter[str] = field(default_factory=Counter)  # by video
    unknown_comments: set[str] = field(default_factory=set)  # refs
    unknown_reactions: dict[tuple[str, str], str | None] = field(default_factory=dict)
    unknown_deletions: set[str] = field(default_factory=set)
    unknown_hearts: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)  # by problem code; nothing was done
    requests: int = 0

    def acknowledged(self, video: str) -> Iterator[Sent]:
        """Iterate over the comments on a video that were answered 201 (or by an `ack`)."""
        return (one for one in self.sent.values() if one.comment_id and one.video == video)

    def acks(self) -> int:
        """Count all that was acknowledged: comments, reactions, hearts, deletions."""
        return self.accepted + len(self.reactions) + len(self.deleted) + self.hearts.total()

    def accept(self, sent: Sent, comment_id: str, position: str | None) -> None:
        """Note that a comment was acknowledged; again: with the same id."""
        assert sent.comment_id in {None, comment_id}, (
            f"{sent} was answered {comment_id} the 2nd time"
        )
        self.accepted += sent.comment_id is None
        sent.comment_id = comment_id
        self.unknown_comments.discard(sent.ref)
        if position is not None:
            sent.offset = int(position.partition(":")[2])

    def take_ids(self, found: Iterable[tuple[str, str | None]]) -> None:
        """Judge by key: where a retry's answer named an id without a row, take the row's.

        That happens where the cache lost who was first with a key; pages match by `ref`, too.
        """
        for comment_id, ref in found:
            sent = self.sent.get(ref or "")
            if sent is not None and sent.comment_id not in {None, comment_id}:
                sent.comment_id, sent.offset = comment_id, None

    def react(self, comment_id: str, user: str, reaction: str | None) -> None:
        """Note that a reaction (None: its end) was acknowledged."""
        self.unknown_reactions.pop((comment_id, user), None)
        self.reactions[comment_id, user] = reaction

    def delete(self, comment_id: str) -> None:
        """Note that a deletion was acknowledged."""
        self.unknown_deletions.discard(comment_id)
        self.deleted.add(comment_id)

    @property
    def unsettled(self) -> int:
        """How many outcomes are unknown. Hearts stay unknown: they cannot be repeated safely."""
        return (
            len(self.unknown_comments) + len(self.unknown_reactions) + len(self.unknown_deletions)
        )

    def recount(self) -> dict[str, dict[str, int]]:
        """Count the acknowledged reactions by comment, every type named."""
        totals: dict[str, dict[str, int]] = {
            one.comment_id: dict.fromkeys(PLURALS.values(), 0)
            for one in self.sent.values()
            if one.comment_id
        }
        for (comment_id, _), reaction in self.reactions.items():
            if reaction is not None:
                totals[comment_id][PLURALS[reaction]] += 1
        return totals
