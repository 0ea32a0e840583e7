"""The crowd that reacts, and its counts: checked against a replay of the records it makes."""

import subprocess
import sys
from collections import Counter
from itertools import islice

import msgspec

from groundswell.bench.durable_store import ReactionCounts
from groundswell.bench.tally import compare
from groundswell.bench.tally_fold import Folded
from groundswell.bench.tally_load import COMMENTS, Crowd, new_crowd
from groundswell.contract.events import decode_reactions
from groundswell.contract.partition import partition_of

SECRET = bytes(32)
PARTITIONS = 4


def crowd(seed: int = 1) -> Crowd:
    return new_crowd(ids_secret=SECRET, seed=seed, now_ms=1_700_000_000_000)


def replayed(records: list[tuple[int, bytes]]) -> ReactionCounts:
    """Count the last code of each (comment, user)."""
    codes = {}
    for _, value in records:
        for reaction in decode_reactions(value).reactions:
            codes[reaction.comment_id, reaction.user_id] = reaction.code
    counts: ReactionCounts = {}
    for (comment_id, _), code in codes.items():
        if code:
            counts.setdefault(comment_id, Counter())[code] += 1
    return counts


def test_the_counts_are_those_of_the_records_in_their_order():
    """The model is right only if a replay of what went into the log says the same."""
    reacting = crowd()
    records = list(reacting.records(3000, partitions=PARTITIONS))
    records += reacting.records(2000, partitions=PARTITIONS)
    assert reacting.counts() == replayed(records)


def test_each_record_has_comments_of_its_own_partition_and_each_pair_once():
    """As the gate packs them."""
    for partition, value in crowd().records(2000, partitions=PARTITIONS):
        reactions = decode_reactions(value).reactions
        pairs = {(reaction.comment_id, reaction.user_id) for reaction in reactions}
        assert len(pairs) == len(reactions)
        assert {partition_of(comment, PARTITIONS) for comment, _ in pairs} == {partition}


def test_the_first_comment_gets_a_share_of_one_by_the_harmonic_number():
    """Zipf with exponent 1 over 1,000 comments: 13 %."""
    reacting = crowd()
    records = reacting.records(20_000, partitions=PARTITIONS)
    names = [r.comment_id for _, value in records for r in decode_reactions(value).reactions]
    share = Counter(names)[reacting.comment_ids[0]] / len(names)
    assert abs(share - 1 / sum(1 / rank for rank in range(1, COMMENTS + 1))) < 0.02


def test_some_reactions_change_or_take_back_an_earlier_one():
    """One in ten, by a pair that reacted before."""
    records = list(crowd().records(5000, partitions=PARTITIONS))
    reactions = [r for _, value in records for r in decode_reactions(value).reactions]
    pairs = Counter((reaction.comment_id, reaction.user_id) for reaction in reactions)
    assert 0.07 < 1 - len(pairs) / len(reactions) < 0.13
    assert any(reaction.code == 0 for reaction in reactions)


def test_a_seed_makes_the_same_reactions_again():
    """So that a figure can be repeated."""
    first, again, other = (
        list(islice(crowd(seed).records(500, partitions=PARTITIONS), 20)) for seed in (7, 7, 8)
    )
    assert first == again != other


class Rows:
    """A store with these rows and totals."""

    def __init__(self, rows: ReactionCounts, totals: ReactionCounts) -> None:
        self._rows = rows
        self._totals = totals

    def reactions(self) -> tuple[ReactionCounts, Counter[tuple[str, int, int]]]:
        return self._rows, Counter({("bench", 1, 2): 5, ("bench", 1, 3): 9})

    def totals(self) -> ReactionCounts:
        return self._totals


def test_counts_that_differ_are_counted_by_comment():
    """A count too many, one too few and a comment too many are three; equal ones are none."""
    model = {"a": Counter({1: 2}), "b": Counter({3: 1}), "c": Counter({2: 1})}
    rows = {"a": Counter({1: 3}), "b": Counter({3: 1}), "d": Counter({6: 1})}
    found = compare(Rows(rows, dict(model)), model)
    assert found["comments whose rows differ"] == 3
    assert found["comments whose totals differ"] == 0
    assert (found["partitions"], found["biggest partition, rows"]) == (2, 9)


def test_the_fold_alone_says_what_it_took():
    """A process of its own, so that it can have a core of its own."""
    argv = [sys.executable, "-m", "groundswell.bench.tally_fold", "5000"]
    done = subprocess.run(argv, capture_output=True, check=True, timeout=60)
    folded = msgspec.json.decode(done.stdout, type=Folded)
    assert folded.reactions == 5000
    assert folded.cpu_seconds > 0
