"""What reader threads run: one statement a read, so that each sees one commit."""

import sqlite3
from collections.abc import Sequence

import msgspec

from groundswell.contract.ports.store import (
    HeartTotals,
    Projection,
    ReactionRow,
    StoredComment,
    Totals,
)

# Lists travel as one JSON parameter: the statement's text stays the same whatever their length,
# so it is parsed once. CROSS JOIN fixes the order: for each name asked for, one search by key.
_PAGE = """SELECT "offset", append_ms, comment_id, public_json FROM comments
    WHERE video_id = ? AND "offset" >= ? AND "offset" < ? AND public_json IS NOT NULL
    ORDER BY "offset" {direction} LIMIT ?"""
_PAGE_FORWARD = _PAGE.format(direction="ASC")
_PAGE_NEWEST = _PAGE.format(direction="DESC")
_REPLIES = """SELECT "offset", append_ms, comment_id, public_json FROM comments
    WHERE video_id = ? AND parent_id = ? AND "offset" >= ? AND "offset" < ?
    AND public_json IS NOT NULL ORDER BY "offset" LIMIT ?"""
_TOTALS = """SELECT t.comment_id, t.counts, t."offset"
    FROM json_each(?) AS asked CROSS JOIN totals AS t
    ON t.video_id = ? AND t.comment_id = asked.value"""
_REACTIONS = """SELECT r.comment_id, r.user_id, r.code, r."offset"
    FROM json_each(?) AS asked CROSS JOIN reactions AS r
    ON r.video_id = ? AND r.comment_id = asked.value"""
_REACTIONS_OF = """SELECT r.comment_id, r.user_id, r.code
    FROM json_each(?) AS asked CROSS JOIN reactions AS r
    ON r.video_id = ? AND r.comment_id = json_extract(asked.value, '$[0]')
    AND r.user_id = json_extract(asked.value, '$[1]')
    WHERE r.code != 0"""

_counts = msgspec.json.Decoder(tuple[int, ...])


def read_applied(connection: sqlite3.Connection) -> dict[tuple[Projection, int], int]:
    """Return every applied offset."""
    rows = connection.execute('SELECT projection, partition, "offset" FROM applied')
    return {(Projection(name), partition): offset for name, partition, offset in rows}


def read_comments(
    connection: sqlite3.Connection, video_id: str, start: int, end: int, limit: int
) -> list[StoredComment]:
    """Return a page from `start` on."""
    rows = connection.execute(_PAGE_FORWARD, (video_id, start, end, limit))
    return [StoredComment(*row) for row in rows]


def read_newest(
    connection: sqlite3.Connection, video_id: str, start: int, end: int, limit: int
) -> list[StoredComment]:
    """Return the page that ends at `end`, ascending."""
    rows = connection.execute(_PAGE_NEWEST, (video_id, start, end, limit))
    return [StoredComment(*row) for row in rows][::-1]


def read_replies(
    connection: sqlite3.Connection, video_id: str, parent_id: str, start: int, end: int, limit: int
) -> list[StoredComment]:
    """Return a page of replies."""
    rows = connection.execute(_REPLIES, (video_id, parent_id, start, end, limit))
    return [StoredComment(*row) for row in rows]


def read_totals(
    connection: sqlite3.Connection, video_id: str, comment_ids: Sequence[str]
) -> dict[str, Totals]:
    """Return the totals there are."""
    rows = connection.execute(_TOTALS, (_names(comment_ids), video_id))
    return {
        comment_id: Totals(video_id, comment_id, _counts.decode(counts), offset)
        for comment_id, counts, offset in rows
    }


def read_hearts(connection: sqlite3.Connection, video_id: str) -> list[HeartTotals]:
    """Return a video's hearts by source."""
    rows = connection.execute(
        'SELECT source, counts, "offset" FROM hearts WHERE video_id = ? ORDER BY source',
        (video_id,),
    )
    return [
        HeartTotals(video_id, source, _counts.decode(counts), offset)
        for source, counts, offset in rows
    ]


def read_reactions(
    connection: sqlite3.Connection, video_id: str, comment_ids: Sequence[str]
) -> dict[str, list[ReactionRow]]:
    """Return all rows of these comments."""
    found: dict[str, list[ReactionRow]] = {}
    rows = connection.execute(_REACTIONS, (_names(comment_ids), video_id))
    for comment_id, user_id, code, offset in rows:
        row = ReactionRow(video_id, comment_id, user_id, code, offset)
        found.setdefault(comment_id, []).append(row)
    return found


def read_reactions_of(
    connection: sqlite3.Connection, video_id: str, pairs: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], int]:
    """Return the codes of these (comment, user) pairs."""
    asked = msgspec.json.encode(pairs).decode()
    rows = connection.execute(_REACTIONS_OF, (asked, video_id))
    return {(comment_id, user_id): code for comment_id, user_id, code in rows}


def _names(names: Sequence[str]) -> str:
    # Without repeats: a name asked for twice would give its rows twice.
    return msgspec.json.encode(list(dict.fromkeys(names))).decode()
