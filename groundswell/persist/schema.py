"""The file of the embedded comment store: its tables, and the one log that it belongs to."""

import sqlite3
from pathlib import Path

from groundswell.contract.ports.store import StoreMismatch, StoreUnavailable

VERSION = 2

# A video's comments lie together in log order, so that a page is one range of one tree. The index
# by id costs 1 us a row (of 5) and spares a deletion the search through a whole video. Rows keep
# no generation: a file belongs to one epoch of the log, which is bound to one generation.
_TABLES = (
    """CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID""",
    """CREATE TABLE applied (
        projection TEXT NOT NULL, partition INTEGER NOT NULL, "offset" INTEGER NOT NULL,
        PRIMARY KEY (projection, partition)) WITHOUT ROWID""",
    # public_json NULL: deleted; the row stays, so that a replay cannot bring it back.
    """CREATE TABLE comments (
        video_id TEXT NOT NULL, "offset" INTEGER NOT NULL, append_ms INTEGER NOT NULL,
        comment_id TEXT NOT NULL, parent_id TEXT, public_json BLOB,
        PRIMARY KEY (video_id, "offset")) WITHOUT ROWID""",
    """CREATE INDEX comments_by_id ON comments (comment_id)""",
    """CREATE INDEX replies ON comments (video_id, parent_id, "offset")
        WHERE parent_id IS NOT NULL""",
    """CREATE TABLE reactions (
        video_id TEXT NOT NULL, comment_id TEXT NOT NULL, user_id TEXT NOT NULL,
        code INTEGER NOT NULL, "offset" INTEGER NOT NULL,
        PRIMARY KEY (video_id, comment_id, user_id)) WITHOUT ROWID""",
    # counts: a JSON array in the order of contract/reactions.py.
    """CREATE TABLE totals (
        video_id TEXT NOT NULL, comment_id TEXT NOT NULL,
        counts TEXT NOT NULL, "offset" INTEGER NOT NULL,
        PRIMARY KEY (video_id, comment_id)) WITHOUT ROWID""",
    """CREATE TABLE hearts (
        video_id TEXT NOT NULL, source INTEGER NOT NULL,
        counts TEXT NOT NULL, "offset" INTEGER NOT NULL,
        PRIMARY KEY (video_id, source)) WITHOUT ROWID""",
)

_WAL_BYTES_KEPT = 64 << 20  # what a burst grew the write-ahead log to is given back beyond this
# A page that many commits change is copied into the file once for all of them: the end of each
# busy video. Four times SQLite's own default; beyond, recovery and reads cost more than it gains.
_CHECKPOINT_PAGES = 4000
_CACHE_KIB = 32 << 10  # the upper levels of the trees of some million rows


def open_writer(path: Path, *, generation: int, log_epoch: str) -> sqlite3.Connection:
    """Open the file for the one thread that writes it, making it at the first start.

    Raises `StoreMismatch` where it belongs to another log or a newer program, and
    `StoreUnavailable` where it cannot be opened.
    """
    try:
        connection = sqlite3.connect(path, isolation_level=None)
    except sqlite3.Error as error:
        raise StoreUnavailable(f"cannot open {path}: {error}") from error
    try:
        _configure(connection)
        _create(connection, path)
        _bind(connection, path, generation=generation, log_epoch=log_epoch)
    except sqlite3.Error as error:
        connection.close()
        raise StoreUnavailable(f"cannot use {path}: {error}") from error
    except StoreMismatch:
        connection.close()
        raise
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """Open the file for one reader at a time. It cannot write, so it never checkpoints either:

    SQLite before 3.51.3 can damage a write-ahead log that two connections checkpoint at once.
    """
    uri = path.absolute().as_uri() + "?mode=ro"
    return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)


def _configure(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")  # durable on return, not only consistent
    connection.execute("PRAGMA secure_delete = ON")  # a deleted text leaves no bytes in free space
    connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
    connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES_KEPT}")
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")


def _create(connection: sqlite3.Connection, path: Path) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        raise StoreMismatch(
            f"{path} has schema {version}, this program knows {VERSION}: run the newer program"
        )
    if version == VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    # Version 1 kept dead letters here; they are in the log now.
    for statement in _TABLES if version == 0 else ("DROP TABLE dead_letters",):
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")


def _bind(connection: sqlite3.Connection, path: Path, *, generation: int, log_epoch: str) -> None:
    ours = {"log_epoch": log_epoch, "generation": str(generation)}
    theirs = dict(connection.execute("SELECT key, value FROM meta"))
    if not theirs:
        connection.executemany("INSERT INTO meta VALUES (?, ?)", ours.items())
    elif theirs != ours:
        raise StoreMismatch(
            f"{path} belongs to log {theirs.get('log_epoch')} (generation "
            f"{theirs.get('generation')}), the log here is {log_epoch} (generation {generation}): "
            f"put the log back that belongs to it, or move {path.name} away to have it made anew "
            f"from this log"
        )
