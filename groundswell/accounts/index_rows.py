"""What of a batch goes into the tables of the index, and the statements that put it there.

All rows of a batch are one statement: SQLite gets them as one JSON text, so that its thread needs
no turn of the interpreter between two rows, and PostgreSQL as one array a column.

Statements change nothing when they come again or late. `("generation", "offset")` is the place of
a record in all logs that there were.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec

from groundswell.contract.events import EventKind, LoggedEvent
from groundswell.contract.ports.store import Totals
from groundswell.contract.reactions import REACTION_TYPES


class Insert(NamedTuple):
    """An upsert of many rows, for each engine."""

    sqlite: str
    postgresql: str

    def bound(self, engine: str, rows: Sequence[tuple[Any, ...]]) -> tuple[str, tuple[Any, ...]]:
        """Return the statement and the parameters for these rows, at least one."""
        if engine == "sqlite":
            return self.sqlite, (msgspec.json.encode(rows).decode(),)
        return self.postgresql, tuple(zip(*rows, strict=True))


def _insert(table: str, columns: dict[str, str], *, on_conflict: str) -> Insert:
    names = ", ".join(f'"{name}"' for name in columns)
    fields = ", ".join(f"json_extract(value, '$[{n}]')" for n in range(len(columns)))
    arrays = ", ".join(f"${n}::{kind}[]" for n, kind in enumerate(columns.values(), start=1))
    into = f"INSERT INTO {table} ({names}) SELECT"
    return Insert(  # our own names throughout
        # `WHERE true`, or the parser takes ON for the condition of a join (sqlite.org/lang_upsert).
        sqlite=f"{into} {fields} FROM json_each(?) WHERE true {on_conflict}",
        postgresql=f"{into} * FROM unnest({arrays}) {on_conflict}",
    )


_NAMED = {"comment_id": "text", "video_id": "text"}
_PLACED = {"generation": "int", "offset": "bigint"}
_FIELDS = {"user_id": "text", "timestamp_ms": "bigint", "reply_to_comment_id": "text"}

# What is known of a comment stays as it is; a deletion that came first is about what the log had
# before it.
COMMENTS: Final = _insert(
    "comments",
    {**_NAMED, **_FIELDS, "deleted": "bool", **_PLACED},
    on_conflict="""ON CONFLICT (comment_id) DO UPDATE SET
    user_id = excluded.user_id, timestamp_ms = excluded.timestamp_ms,
    reply_to_comment_id = excluded.reply_to_comment_id,
    deleted = (comments."generation", comments."offset")
        > (excluded."generation", excluded."offset"),
    "generation" = excluded."generation", "offset" = excluded."offset"
    WHERE comments.user_id IS NULL""",
)

DELETIONS: Final = _insert(
    "comments",
    {**_NAMED, "deleted": "bool", **_PLACED},
    on_conflict="""ON CONFLICT (comment_id) DO UPDATE SET
    deleted = true,
    "generation" = CASE WHEN comments.user_id IS NULL THEN excluded."generation"
        ELSE comments."generation" END,
    "offset" = CASE WHEN comments.user_id IS NULL THEN excluded."offset"
        ELSE comments."offset" END
    WHERE (excluded."generation", excluded."offset")
        > (comments."generation", comments."offset")""",
)

TOTALS: Final = _insert(
    "reactions",
    {"comment_id": "text", "reaction_type": "text", "total": "bigint", **_PLACED},
    on_conflict="""ON CONFLICT (comment_id, reaction_type) DO UPDATE SET
    total = excluded.total,
    "generation" = excluded."generation", "offset" = excluded."offset"
    WHERE (excluded."generation", excluded."offset")
        > (reactions."generation", reactions."offset")""",
)

APPLIED: Final = _insert(
    "applied",
    {
        "projection": "text",
        "generation": "int",
        "log_epoch": "text",
        "partition": "int",
        "offset": "bigint",
    },
    on_conflict="""ON CONFLICT (projection, "generation", log_epoch, "partition") DO UPDATE
    SET "offset" = excluded."offset" WHERE excluded."offset" > applied."offset\"""",
)


def comment_rows(events: Sequence[LoggedEvent], *, generation: int) -> list[tuple[Any, ...]]:
    """Return a row for each comment; of the same id the first, as one statement takes one."""
    rows: dict[str, tuple[Any, ...]] = {}
    for logged in events:
        event = logged.event
        if event.kind == EventKind.COMMENT and event.comment_id not in rows:
            rows[event.comment_id] = (
                event.comment_id,
                event.video_id,
                event.user_id,
                event.time_ms,
                event.parent_id,
                False,
                generation,
                logged.offset,
            )
    return list(rows.values())


def deletion_rows(events: Sequence[LoggedEvent], *, generation: int) -> list[tuple[Any, ...]]:
    """Return a row for each comment that was deleted, with the last deletion's place."""
    return list(
        {
            event.comment_id: (event.comment_id, event.video_id, True, generation, logged.offset)
            for logged in events
            if (event := logged.event).kind == EventKind.DELETION
        }.values()
    )


def total_rows(totals: Sequence[Totals], *, generation: int) -> list[tuple[Any, ...]]:
    """Return a row for each comment and type, zeros included: a row that is absent has no place."""
    latest: dict[str, Totals] = {}
    for one in totals:
        known = latest.get(one.comment_id)
        if known is None or one.offset > known.offset:
            latest[one.comment_id] = one
    return [
        (one.comment_id, kind.name, count, generation, one.offset)
        for one in latest.values()
        for kind, count in zip(
            REACTION_TYPES,
            (*one.counts, *[0] * (len(REACTION_TYPES) - len(one.counts))),
            strict=False,
        )
    ]
