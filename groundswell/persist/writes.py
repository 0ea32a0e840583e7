"""What the writer's thread runs: statements that change nothing when they come again or late."""

import sqlite3

import msgspec

from groundswell.contract.events import EventKind
from groundswell.contract.ports.store import CommentsBatch, Projection, TallyBatch

_COMMENT = "INSERT INTO comments VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
# A deletion is about what the log had before it, so it names the greatest offset it can mean.
_DELETION = """UPDATE comments SET public_json = NULL
    WHERE comment_id = ? AND video_id = ? AND "offset" < ? AND public_json IS NOT NULL"""
_REACTION = """INSERT INTO reactions VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE
    SET code = excluded.code, "offset" = excluded."offset"
    WHERE excluded."offset" > reactions."offset\""""
_TOTALS = """INSERT INTO totals VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE
    SET counts = excluded.counts, "offset" = excluded."offset"
    WHERE excluded."offset" > totals."offset\""""
_HEARTS = """INSERT INTO hearts VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE
    SET counts = excluded.counts, "offset" = excluded."offset"
    WHERE excluded."offset" > hearts."offset\""""
_APPLIED = """INSERT INTO applied VALUES (?, ?, ?) ON CONFLICT DO UPDATE
    SET "offset" = excluded."offset" WHERE excluded."offset" > applied."offset\""""


def write_comments(connection: sqlite3.Connection, batch: CommentsBatch) -> None:
    """Insert comments, then carry out deletions: right, as a deletion only looks back."""
    connection.executemany(
        _COMMENT,
        [
            (
                event.video_id,
                logged.offset,
                logged.append_ms,
                event.comment_id,
                event.parent_id,
                event.public_json,
            )
            for logged in batch.events
            if (event := logged.event).kind == EventKind.COMMENT
        ],
    )
    deletions = [
        (logged.event.comment_id, logged.event.video_id, logged.offset)
        for logged in batch.events
        if logged.event.kind == EventKind.DELETION
    ]
    if deletions:
        connection.executemany(_DELETION, deletions)


def write_tally(connection: sqlite3.Connection, batch: TallyBatch) -> None:
    """Write reaction rows, totals and hearts."""
    connection.executemany(
        _REACTION,
        [(row.video_id, row.comment_id, row.user_id, row.code, row.offset) for row in batch.rows],
    )
    connection.executemany(
        _TOTALS,
        [
            (totals.video_id, totals.comment_id, _counts_text(totals.counts), totals.offset)
            for totals in batch.totals
        ],
    )
    connection.executemany(
        _HEARTS,
        [
            (hearts.video_id, hearts.source, _counts_text(hearts.counts), hearts.offset)
            for hearts in batch.hearts
        ],
    )


def write_applied(
    connection: sqlite3.Connection, projection: Projection, partition: int, offset: int
) -> None:
    """Move the applied offset of a projection forward."""
    connection.execute(_APPLIED, (projection.value, partition, offset))


def _counts_text(counts: tuple[int, ...]) -> str:
    return msgspec.json.encode(counts).decode()
