"""Which partition of the log a video, a comment or a heart counter belongs to.

`partition = mmh3_x86_32(key as UTF-8, seed 0, unsigned) mod partitions`, always passed to the log
explicitly: three common "default" hashes of Kafka clients disagree with each other. The test
vectors in `docs/protocol.md` let other programs check theirs.
"""

import mmh3


def partition_of(key: str, partitions: int) -> int:
    """Return the partition of a key, in `range(partitions)`."""
    return mmh3.hash(key, seed=0, signed=False) % partitions


def key_hash64(video_id: str, user_id: str, key: str) -> int:
    """Return the 64-bit hash that stands for one (video, user, idempotency key)."""
    # NUL cannot occur in the three parts, so different triples are different strings.
    return mmh3.hash64(f"{video_id}\0{user_id}\0{key}", seed=0, signed=False)[0]
