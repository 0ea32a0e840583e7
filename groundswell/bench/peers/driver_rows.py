"""The driver alone: the same rows in batches of 100, as its documentation shows it.

Reads `Written` records from a file, says `ready`, begins at the next line of stdin, and prints the
seconds that it took. Rows lie in the same partitions, in a generation of their own.
"""

import argparse
import threading
import time
from collections import defaultdict
from pathlib import Path

import msgspec
from cassandra.query import BatchStatement, BatchType  # type: ignore[import-untyped]  # no types

from groundswell.bench.durable_log import Written
from groundswell.contract.settings import CassandraSettings
from groundswell.persist.cassandra_session import connect

GENERATION = 1_000_000
ROWS_A_BATCH = 100
IN_FLIGHT = 32
INSERT = """INSERT INTO comments (video_id, generation, bucket, "offset", append_ms, comment_id,
    parent_id, public_json) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""


def main() -> None:
    """Write what the arguments name."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--keyspace", required=True)
    parser.add_argument("--rows", type=Path, required=True)
    options = parser.parse_args()
    settings = CassandraSettings(hosts=(options.host,), port=options.port, timeout=30.0)
    written = msgspec.msgpack.decode(options.rows.read_bytes(), type=list[Written])
    cluster, session = connect(settings, keyspace=options.keyspace)
    prepared = session.prepare(INSERT)
    print("ready", flush=True)  # noqa: T201 - whoever started it reads its stdout
    input()
    began = time.monotonic()
    _write(session, prepared, written)
    print(time.monotonic() - began, flush=True)  # noqa: T201 - as above
    cluster.shutdown()


def _write(session: object, prepared: object, written: list[Written]) -> None:
    partitions = defaultdict(list)
    for row in written:
        partitions[row.video_id, row.offset >> 15].append(row)
    room = threading.Semaphore(IN_FLIGHT)
    failed: list[Exception] = []

    def refused(error: Exception) -> None:
        failed.append(error)
        room.release()

    for (video_id, bucket), rows in partitions.items():
        for start in range(0, len(rows), ROWS_A_BATCH):
            batch = BatchStatement(batch_type=BatchType.UNLOGGED)
            for row in rows[start : start + ROWS_A_BATCH]:
                place = (video_id, GENERATION, bucket, row.offset)
                batch.add(prepared, (*place, row.append_ms, row.comment_id, "", row.public_json))
            room.acquire()
            future = session.execute_async(batch)  # type: ignore[attr-defined]  # no types
            future.add_callbacks(lambda _: room.release(), refused)
    for _ in range(IN_FLIGHT):
        room.acquire()
    if failed:
        raise failed[0]


if __name__ == "__main__":
    main()
