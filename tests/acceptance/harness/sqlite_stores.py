"""The embedded engines' files."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from groundswell.contract.events import EventKind, decode_event
from groundswell.contract.reactions import counts_by_name
from tests.acceptance.harness.stores import StoredReactions, reason_of

LOG, STORE = "log.db", "store.db"
LOG_FILES = frozenset({LOG, f"{LOG}-wal"})
_OFFSET_BITS = 48  # of a record's rowid in the embedded log; the topic `events` has lanes from 0
_EVENTS_END = 1 << (12 + _OFFSET_BITS)
_LETTERS_FROM = 4 << (12 + _OFFSET_BITS)


@contextmanager
def _open(path: Path) -> Iterator[sqlite3.Connection]:
    uri = f"{path.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, timeout=5)) as connection:
        yield connection


class SqliteStores:
    """The files of one data folder, read beside the server that writes them."""

    def __init__(self, data: Path) -> None:
        self._data = data

    def comments(self, video: str) -> list[tuple[str, str | None]]:
        """Return (comment id, ref) of a video's stored comments that are not deleted, in order."""
        query = (
            "SELECT public_json FROM comments WHERE video_id = ? AND public_json IS NOT NULL"
            ' ORDER BY "offset"'
        )
        with _open(self._data / STORE) as store:
            rows = [json.loads(row) for (row,) in store.execute(query, (video,))]
        return [(row["commentID"], row.get("ref")) for row in rows]

    def reactions(self, video: str) -> StoredReactions:
        """Return the totals of a video's comments, from the totals and from the rows."""
        found = StoredReactions()
        stated = "SELECT comment_id, counts FROM totals WHERE video_id = ?"
        rows = "SELECT comment_id, code FROM reactions WHERE video_id = ?"
        with _open(self._data / STORE) as store:
            for comment_id, counts in store.execute(stated, (video,)):
                found.stated[comment_id] = counts_by_name(json.loads(counts))
            for comment_id, code in store.execute(rows, (video,)):
                found.count(comment_id, code)
        return found

    def hearts(self, video: str) -> int:
        """Return how many hearts of a video the store has counted."""
        query = "SELECT counts FROM hearts WHERE video_id = ?"
        with _open(self._data / STORE) as store:
            return sum(sum(json.loads(counts)) for (counts,) in store.execute(query, (video,)))

    def logged(self, video: str) -> list[str]:
        """Return the ids of a video's comments in the log, in its order, duplicates included."""
        query = "SELECT value FROM records WHERE id < ? AND value IS NOT NULL ORDER BY id"
        with _open(self._data / LOG) as log:
            events = [decode_event(value) for (value,) in log.execute(query, (_EVENTS_END,))]
        return [
            one.comment_id
            for one in events
            if one.kind == EventKind.COMMENT and one.video_id == video
        ]

    def dead_letters(self) -> list[str]:
        """Return why records were put aside."""
        query = "SELECT value FROM records WHERE id >= ?"
        with _open(self._data / LOG) as log:
            return [reason_of(value) for (value,) in log.execute(query, (_LETTERS_FROM,))]

    def integrity(self) -> list[str]:
        """Return what SQLite itself finds wrong with any file of the folder."""
        complaints = []
        for path in sorted(self._data.glob("*.db")):
            with _open(path) as connection:
                rows = connection.execute("PRAGMA integrity_check").fetchall()
            complaints += [f"{path.name}: {row[0]}" for row in rows if row[0] != "ok"]
        return complaints

    def files_with(self, text: str) -> list[str]:
        """Return the names of the store's files that hold a text anywhere in their bytes."""
        wanted = text.encode()
        return sorted(
            path.name
            for path in self._data.glob(f"{STORE}*")
            if path.is_file() and wanted in path.read_bytes()
        )
