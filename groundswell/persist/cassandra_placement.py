"""Which partition of Cassandra a row lies in, and with which timestamp it is written.

No partition grows without bound, and nothing is planned for that:

- Comments (and replies to one comment): `bucket = offset >> cassandra.bucket_bits`, so at most
  32,768 rows with its default 15, about 15 MB at 450 bytes each.
- Reactions: the 16.4 s in which the comment's id was minted, and one of 16 slots by the user. A
  row is one user's reaction to one comment, so a partition has what came for all comments of
  those 16.4 s, a sixteenth of it. At 166,000 reactions/s on one video, each on a comment as young
  as any, that is 16.4 * 166,000 / 16 = 170,000 rows of about 100 bytes, 17 MB. One comment that a
  million viewers react to adds 62,500 rows; ten million add 62 MB, which Cassandra still reads.
- Totals, and comments that came late: the same 16.4 s without slots. At 16,700 comments/s, that
  is 274,000 rows, 30 MB.

A batch of the tally is cut by these partitions. Shorter times and more slots would make smaller
partitions and emptier batches: a row alone in its batch costs ten times as much as one of 50.
"""

import struct

import mmh3

REACTIONS_BUCKET_SHIFT = 14  # of milliseconds: 16.384 s
REACTION_SLOTS = 16  # a power of two

# A comment whose append lies further from its id's time than this is late: entered by its id, too,
# so that a deletion need not look for it. Kafka's clock may differ from the gate's, an append that
# is repeated takes seconds.
EARLY_MS = 10_000
LATE_MS = 20_000

_OFFSET_BITS = 44  # 17 * 10^12 records; leaves 19 bits for generations
_OFFSETS = (1 << _OFFSET_BITS) - 1
_INT_MAX = (1 << 31) - 1

int_bytes = struct.Struct(">i").pack
long_bytes = struct.Struct(">q").pack


def timestamp(generation: int, offset: int) -> int:
    """Return the timestamp of everything that a record says: later records win, so do new logs."""
    return (generation << _OFFSET_BITS) | offset


def first_wins_timestamp(generation: int, offset: int) -> int:
    """Return a timestamp by which of two records the former wins, within a generation."""
    return (generation << _OFFSET_BITS) | (_OFFSETS - offset)


def id_time_ms(comment_id: str) -> int:
    """Return the time in an id. An id that is not one of ours gets one, too: always the same."""
    try:
        return int(comment_id[:8] + comment_id[9:13], 16)
    except ValueError:
        return 0


def reactions_bucket(comment_id: str) -> int:
    """Return the bucket of whatever is kept by a comment's id."""
    return (id_time_ms(comment_id) >> REACTIONS_BUCKET_SHIFT) & _INT_MAX


def reaction_slot(user_id: str) -> int:
    """Return the slot of a user's reactions."""
    return mmh3.hash(user_id, seed=0, signed=False) & (REACTION_SLOTS - 1)


def is_late(comment_id: str, append_ms: int) -> bool:
    """Tell whether a comment was appended at a time that its id does not let expect."""
    return not -EARLY_MS <= append_ms - id_time_ms(comment_id) <= LATE_MS
