"""Who of a group gets which partitions: even, and everybody keeps what it has where possible."""

from collections.abc import Collection, Mapping
from io import BytesIO

import msgspec

from groundswell.log.kafka_wire import ASSIGNMENT, SUBSCRIPTION

STRATEGY = "groundswell-sticky"
_VERSION = 0
_partitions = msgspec.msgpack.Decoder(list[int])


def share_out(claims: Mapping[str, Collection[int]], partitions: int) -> dict[str, list[int]]:
    """Return each member's partitions, given what each has now.

    >>> share_out({"a": [0, 1, 2, 3], "b": []}, 4)
    {'a': [0, 1], 'b': [2, 3]}
    """
    base, larger = divmod(partitions, len(claims))
    left = set(range(partitions))
    shares: dict[str, list[int]] = {}
    # Who has most is first to have one more than the others, where they do not come out even.
    for member in sorted(claims, key=lambda m: (-len(claims[m]), m)):
        kept = sorted(left.intersection(claims[member]))[: base + (larger > 0)]
        larger -= len(kept) > base
        shares[member] = kept
        left.difference_update(kept)
    for share in shares.values():
        wanted = base - len(share)
        if wanted == 0 and larger > 0:
            wanted = 1
        elif wanted > 0 and larger > 0:
            wanted += 1
        if wanted > 0:
            larger -= len(share) + wanted > base
            given = sorted(left)[:wanted]
            share += given
            left.difference_update(given)
    return {member: sorted(shares[member]) for member in claims}


def encode_claim(topic: str, owned: Collection[int]) -> bytes:
    """Return what a member says when it joins."""
    data: bytes = SUBSCRIPTION.encode((_VERSION, [topic], msgspec.msgpack.encode(sorted(owned))))
    return data


def decode_claim(data: bytes) -> list[int]:
    """Return the partitions that a joining member has; none where it does not say."""
    try:
        _, _, owned = SUBSCRIPTION.decode(BytesIO(data))
        return _partitions.decode(owned or b"\x90")
    except (ValueError, msgspec.DecodeError):
        return []


def encode_share(topic: str, share: Collection[int]) -> bytes:
    """Return what the leader gives to a member."""
    data: bytes = ASSIGNMENT.encode((_VERSION, [(topic, list(share))], b""))
    return data


def decode_share(data: bytes) -> frozenset[int]:
    """Return what a member was given."""
    if not data:
        return frozenset()
    _, topics, _ = ASSIGNMENT.decode(BytesIO(data))
    return frozenset(partition for _, partitions in topics for partition in partitions)
