"""Reads the stores' own files: a check never rests on the server's word alone."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from groundswell.contract.events import EventKind, decode_event
from groundswell.contract.reactions import NO_REACTION, REACTION_TYPES, counts_by_name

LOG, STORE = "log.db", "store.db"
LOG_FILES = frozenset({LOG, f"{LOG}-wal"})
_PLURAL_OF_CODE = {row.code: row.plural for row in REACTION_TYPES}
_OFFSET_BITS = 48  # of a record's rowid in the embedded log; the topic `events` has lanes from 0
_EVENTS_END = 1 << (12 + _OFFSET_BITS)


@contextmanager
def _open(path: Path) -> Iterator[sqlite3.Connection]:
    uri = f"{path.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, timeout=5)) as connection:
        yield connection


def stored_comments(data: Path, video: str) -> list[tuple[str, str | None]]:
    """Return (comment id, ref) of a video's stored comments that are not deleted, in order."""
    query = (
        "SELECT public_json FROM comments WHERE video_id = ? AND public_json IS NOT NULL"
        ' ORDER BY "offset"'
    )
    with _open(data / STORE) as store:
        rows = [json.loads(row) for (row,) in store.execute(query, (video,))]
    return [(row["commentID"], row.get("ref")) for row in rows]


@dataclass(slots=True)
class StoredReactions:
    """Totals as the store states them, and as its own rows add up."""

    stated: dict[str, dict[str, int]] = field(default_factory=dict)
    counted: dict[str, dict[str, int]] = field(default_factory=dict)


def stored_reactions(data: Path, video: str) -> StoredReactions:
    """Return the totals of a video's comments, from the totals and from the rows."""
    found = StoredReactions()
    with _open(data / STORE) as store:
        totals = store.execute("SELECT comment_id, counts FROM totals WHERE video_id = ?", (video,))
        for comment_id, counts in totals:
            found.stated[comment_id] = counts_by_name(json.loads(counts))
        rows = store.execute("SELECT comment_id, code FROM reactions WHERE video_id = ?", (video,))
        for comment_id, code in rows:
            if code != NO_REACTION:
                counted = found.counted.setdefault(comment_id, {})
                plural = _PLURAL_OF_CODE[code]
                counted[plural] = counted.get(plural, 0) + 1
    return found


def stored_hearts(data: Path, video: str) -> int:
    """Return how many hearts of a video the store has counted."""
    with _open(data / STORE) as store:
        rows = store.execute("SELECT counts FROM hearts WHERE video_id = ?", (video,)).fetchall()
    return sum(sum(json.loads(counts)) for (counts,) in rows)


def dead_letters(data: Path) -> list[str]:
    """Return why records were put aside; there should be none."""
    with _open(data / STORE) as store:
        return [reason for (reason,) in store.execute("SELECT reason FROM dead_letters")]


def logged_comments(data: Path, video: str) -> list[str]:
    """Return the ids of a video's comments in the log, in its order, duplicates included."""
    query = "SELECT value FROM records WHERE id < ? AND value IS NOT NULL ORDER BY id"
    with _open(data / LOG) as log:
        events = [decode_event(value) for (value,) in log.execute(query, (_EVENTS_END,))]
    return [
        one.comment_id for one in events if one.kind == EventKind.COMMENT and one.video_id == video
    ]


def files_with(data: Path, text: str) -> list[str]:
    """Return the names of the store's files that hold a text anywhere in their bytes."""
    wanted = text.encode()
    return sorted(
        path.name
        for path in data.glob(f"{STORE}*")
        if path.is_file() and wanted in path.read_bytes()
    )


def integrity(data: Path) -> list[str]:
    """Return what SQLite itself finds wrong with any file of the folder."""
    complaints = []
    for path in sorted(data.glob("*.db")):
        with _open(path) as connection:
            rows = connection.execute("PRAGMA integrity_check").fetchall()
        complaints += [f"{path.name}: {row[0]}" for row in rows if row[0] != "ok"]
    return complaints
