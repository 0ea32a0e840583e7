"""Sharing a group's partitions out."""

from hypothesis import given
from hypothesis import strategies as st

from groundswell.log.kafka_shares import (
    decode_claim,
    decode_share,
    encode_claim,
    encode_share,
    share_out,
)

NAMES = st.text("abcdef", min_size=1, max_size=3)
CLAIMS = st.dictionaries(NAMES, st.sets(st.integers(0, 20)), min_size=1, max_size=6)


@given(CLAIMS, st.integers(1, 20))
def test_every_partition_has_one_owner_and_shares_are_even(claims, partitions):
    """Whatever members say that they have."""
    shares = share_out(claims, partitions)
    assert shares.keys() == claims.keys()
    assert sorted(p for share in shares.values() for p in share) == list(range(partitions))
    sizes = [len(share) for share in shares.values()]
    assert max(sizes) - min(sizes) <= 1


@given(st.integers(1, 40), st.integers(1, 6))
def test_who_comes_takes_only_what_is_due_to_it(partitions, members):
    """The others keep all that the newcomer does not need."""
    names = [f"m{number}" for number in range(members)]
    before = share_out(dict.fromkeys(names, ()), partitions)
    after = share_out({**before, "new": []}, partitions)
    assert all(set(after[name]) <= set(before[name]) for name in names)


@given(CLAIMS, st.integers(1, 20))
def test_sharing_out_again_changes_nothing(claims, partitions):
    """What is even already stays where it is."""
    shares = share_out(claims, partitions)
    assert share_out(shares, partitions) == shares


@given(st.sets(st.integers(0, 4095)))
def test_claims_and_shares_come_through(partitions):
    """As Kafka's own tools read them; a claim that says nothing is an empty one."""
    assert decode_claim(encode_claim("topic", partitions)) == sorted(partitions)
    assert decode_share(encode_share("topic", partitions)) == partitions
    assert decode_claim(b"") == []
    assert decode_share(b"") == frozenset()
