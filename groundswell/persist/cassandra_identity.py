"""The one log that a keyspace's rows come from, and the logs before it."""

from typing import NamedTuple

from groundswell.contract.ports.store import StoreMismatch
from groundswell.persist.cassandra_placement import int_bytes, long_bytes, timestamp
from groundswell.persist.cassandra_requests import Requests
from groundswell.persist.cassandra_schema import LAYOUT
from groundswell.persist.cassandra_session import CassandraSession

_READ = "SELECT generation, log_epoch, bucket_shift FROM logs WHERE layout = ?"
_WRITE = """INSERT INTO logs (layout, generation, log_epoch, bucket_shift) VALUES (?, ?, ?, ?)
    USING TIMESTAMP ?"""

TEXTS = (_READ, _WRITE)


class Identity(NamedTuple):
    """A log's generation and epoch, and how large the buckets of its comments are."""

    generation: int
    log_epoch: str
    bucket_shift: int


async def bind(
    session: CassandraSession, requests: Requests, ours: Identity, *, keyspace: str
) -> None:
    """Enter our log, or find it entered.

    Raises `StoreMismatch` where our generation is another log's, or a newer log was there.
    """
    read = session.bound(_READ, (int_bytes(LAYOUT),))
    (rows,) = await requests.run([read])
    if not any(generation == ours.generation for generation, _, _ in rows):
        _check(rows, ours, keyspace)
        row = (
            int_bytes(LAYOUT),
            int_bytes(ours.generation),
            ours.log_epoch.encode(),
            int_bytes(ours.bucket_shift),
            long_bytes(timestamp(ours.generation, 0)),
        )
        await requests.run([session.bound(_WRITE, row)])
        # Of two logs that claim one generation at once the greater epoch stays: both see which.
        (rows,) = await requests.run([read])
    _check(rows, ours, keyspace)


def _check(rows: list[tuple[int, str, int]], ours: Identity, keyspace: str) -> None:
    for generation, log_epoch, bucket_shift in rows:
        if generation > ours.generation or (
            generation == ours.generation and log_epoch != ours.log_epoch
        ):
            raise StoreMismatch(
                f"keyspace {keyspace} belongs to log {log_epoch} (generation {generation}), the "
                f"log here is {ours.log_epoch} (generation {ours.generation}): put the log back "
                f"that belongs to it, or name a new keyspace in cassandra.keyspace and run "
                f"`groundswell migrate` to have it made anew from this log"
            )
        if generation == ours.generation and bucket_shift != ours.bucket_shift:
            raise StoreMismatch(
                f"keyspace {keyspace} has buckets of 2^{bucket_shift} offsets, and "
                f"cassandra.bucket_bits = {ours.bucket_shift} would look for its comments "
                f"elsewhere: set cassandra.bucket_bits = {bucket_shift}"
            )
