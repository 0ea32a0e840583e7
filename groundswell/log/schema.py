"""The file `log.db`: its tables, its two kinds of connections, and what makes it ours.

A lane is one partition of one topic: `topic number << 12 | partition`. A record's rowid is
`lane << 48 | offset`, so the records of a lane lie together, an append is one insert without any
other index, and a range of offsets is a range of rowids.
"""

import secrets
import sqlite3
from pathlib import Path

from groundswell.contract.ports.log import COMPACTED, UNPARTITIONED, LogUnavailable, Topic

SCHEMA_VERSION = 1
APPLICATION_ID = 0x67736C67  # "gslg", in the file's header (PRAGMA application_id)
PARTITIONS_MAX = 1 << 12
OFFSET_BITS = 48
OFFSET_MASK = (1 << OFFSET_BITS) - 1

# The index by key is partial, from the first compacted lane on. Numbers are for good; the few
# dead letters behind it are in that index for nothing.
_TOPICS = (Topic.EVENTS, Topic.REACTIONS, Topic.TOTALS, Topic.CONTROL, Topic.DEAD_LETTERS)
FIRST_LANE = {topic: number << 12 for number, topic in enumerate(_TOPICS)}
COMPACTED_LANES_FROM = min(FIRST_LANE[topic] for topic in COMPACTED)

_TABLES = f"""
CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE records (id INTEGER PRIMARY KEY, append_ms INTEGER NOT NULL, key BLOB, value BLOB);
CREATE INDEX records_by_key ON records (key) WHERE id >= {COMPACTED_LANES_FROM << OFFSET_BITS};
CREATE TABLE lanes (
    lane INTEGER PRIMARY KEY, first INTEGER NOT NULL, end INTEGER NOT NULL, last_ms INTEGER NOT NULL
);
CREATE TABLE commits (
    group_name TEXT NOT NULL, lane INTEGER NOT NULL, offset INTEGER NOT NULL,
    PRIMARY KEY (group_name, lane)
) WITHOUT ROWID;
"""  # `lanes` has a row only where records were deleted, so that offsets never start again


def topic_of(lane: int) -> Topic:
    """Return the topic of a lane."""
    return _TOPICS[lane >> 12]


def partition_of_lane(lane: int) -> int:
    """Return the partition of a lane."""
    return lane & (PARTITIONS_MAX - 1)


def rowid(lane: int, offset: int) -> int:
    """Return the rowid of a record."""
    return lane << OFFSET_BITS | offset


def all_lanes(partitions: int) -> list[int]:
    """Return every lane of a log: `UNPARTITIONED` topics have one, the others `partitions`."""
    return [
        first + partition
        for topic, first in FIRST_LANE.items()
        for partition in range(1 if topic in UNPARTITIONED else partitions)
    ]


def open_writer(path: Path, *, partitions: int, max_bytes: int | None) -> sqlite3.Connection:
    """Open the one connection that writes; makes the tables in a new file.

    Raises `LogUnavailable` where the file is not a log that we can write to, `sqlite3.Error`
    where SQLite says so.
    """
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
    try:
        _check_ours(connection, path)
        # A commit is on stable storage when COMMIT returns: WAL with FULL syncs every commit.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA mmap_size = 0")  # an I/O error must be an error, not SIGBUS
        connection.execute("PRAGMA wal_autocheckpoint = 0")  # the writer picks the moment
        connection.execute("PRAGMA cache_size = -16384")  # KiB: the last leaves of all lanes
        if max_bytes is not None:
            (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
            connection.execute(f"PRAGMA max_page_count = {max_bytes // page_bytes}")
        _make_or_check_tables(connection, path, partitions)
    except BaseException:
        connection.close()
        raise
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """Open a connection that can only read; the file must exist."""
    uri = f"{path.absolute().as_uri()}?mode=ro"
    connection = sqlite3.connect(
        uri, uri=True, isolation_level=None, check_same_thread=False, timeout=5
    )
    connection.text_factory = bytes  # packed reads carry blobs as text, see `reader.py`
    connection.execute("PRAGMA mmap_size = 0")
    return connection


def epochs(connection: sqlite3.Connection) -> dict[Topic, str]:
    """Return the epoch of every topic."""
    return {topic: str(_meta(connection, f"epoch.{topic}")) for topic in _TOPICS}


def _check_ours(connection: sqlite3.Connection, path: Path) -> None:
    try:
        (application_id,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorname != "SQLITE_NOTADB":
            raise
        application_id, version, tables = 0, 0, 1
    if application_id != APPLICATION_ID and tables:
        raise LogUnavailable(
            f"{path} is not a log of Groundswell; move it away, or set server.data to another "
            "folder"
        )
    if version > SCHEMA_VERSION:
        raise LogUnavailable(
            f"{path} was written by a newer Groundswell (schema {version}, this program knows "
            f"{SCHEMA_VERSION}); upgrade the program, or restore a backup from before"
        )


def _make_or_check_tables(connection: sqlite3.Connection, path: Path, partitions: int) -> None:
    connection.execute("BEGIN IMMEDIATE")
    if connection.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (0,):
        for statement in _TABLES.split(";\n"):
            connection.execute(statement)
        connection.execute("INSERT INTO meta VALUES ('partitions', ?)", (partitions,))
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    # A file from before a topic was thought of gets its epoch now.
    epochs = [(f"epoch.{topic}", secrets.token_hex(8)) for topic in _TOPICS]
    connection.executemany("INSERT OR IGNORE INTO meta VALUES (?, ?)", epochs)
    connection.execute("COMMIT")
    made_with = _meta(connection, "partitions")
    if made_with != partitions:
        raise LogUnavailable(
            f"{path} has {made_with} partitions, this program was told {partitions}; a log keeps "
            "the number it was made with"
        )


def _meta(connection: sqlite3.Connection, name: str) -> object:
    row = connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    return None if row is None else row[0]
