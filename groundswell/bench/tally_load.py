"""Reactions as a broadcast has them: few comments get most, and some users change their mind."""

import itertools
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from groundswell.bench.durable_store import ReactionCounts
from groundswell.contract.events import VERSION, Reaction, ReactionRecord, encode
from groundswell.contract.ids import CommentIds
from groundswell.contract.partition import partition_of
from groundswell.contract.reactions import NO_REACTION, REACTION_TYPES

VIDEO = "bench"
COMMENTS = 1000
USERS = 1_000_000
TOGGLES = 0.1  # of the reactions: by a user who reacted to that comment before
PER_TICK = 100  # reactions of one process in 5 ms, at 20,000 a second
COMMENT_MS = 6  # between two comments: 167 a second, one hundredth of the largest event
_CODES = len(REACTION_TYPES)


@dataclass(slots=True)
class Crowd:
    """Makes reactions, and remembers what their count must be.

    Users are drawn evenly, comments with weight 1/rank (Zipf with exponent 1). The same seed makes
    the same reactions.
    """

    comment_ids: list[str]
    random: random.Random
    codes: dict[tuple[int, int], int] = field(default_factory=dict)  # (comment, user) -> code
    _pairs: list[tuple[int, int]] = field(default_factory=list)

    def records(self, reactions: int, *, partitions: int) -> Iterator[tuple[int, bytes]]:
        """Yield (partition, record), packed by ticks and partitions as the gate packs them."""
        chosen = self._choose(reactions)
        while tick := dict(itertools.islice(chosen, PER_TICK)):
            packs: dict[int, list[Reaction]] = {}
            for (comment, user), code in tick.items():
                comment_id = self.comment_ids[comment]
                reaction = Reaction(VIDEO, comment_id, f"user-{user}", code)
                packs.setdefault(partition_of(comment_id, partitions), []).append(reaction)
            for partition, pack in packs.items():
                yield partition, encode(ReactionRecord(VERSION, 0, pack, []))

    def counts(self) -> ReactionCounts:
        """Return what the comments' totals must be; zeros are left out."""
        found: ReactionCounts = {}
        for (comment, _), code in self.codes.items():
            if code != NO_REACTION:
                found.setdefault(self.comment_ids[comment], Counter())[code] += 1
        return found

    def _choose(self, reactions: int) -> Iterator[tuple[tuple[int, int], int]]:
        weights = list(itertools.accumulate(1 / rank for rank in range(1, COMMENTS + 1)))
        comments = iter(self.random.choices(range(COMMENTS), cum_weights=weights, k=reactions))
        for comment in comments:
            if self._pairs and self.random.random() < TOGGLES:
                pair = self.random.choice(self._pairs)
                code = self.random.randrange(_CODES + 1)
            else:
                pair = (comment, self.random.randrange(USERS))
                code = self.random.randrange(1, _CODES + 1)
                self._pairs.append(pair)
            self.codes[pair] = code
            yield pair, code


def new_crowd(*, ids_secret: bytes, seed: int, now_ms: int) -> Crowd:
    """Return a crowd before `COMMENTS` comments of the last seconds."""
    times = itertools.count(now_ms - COMMENTS * COMMENT_MS, COMMENT_MS)
    ids = CommentIds(ids_secret, now_ms=lambda: next(times), process_random=seed)
    comment_ids = [ids.mint(VIDEO) for _ in range(COMMENTS)]
    chance = random.Random(seed)  # noqa: S311 - reproducible, nothing secret
    chance.shuffle(comment_ids)
    return Crowd(comment_ids, chance)
