"""Named points between two writes, where a test can have a process killed.

A point does nothing until `arm` gives it an action; only `roles/` arms points, and only when
the environment variable `GROUNDSWELL_FAULTPOINT` asks for one.
"""

from collections.abc import Callable

POINTS = frozenset(
    {
        "ingest.before_append",  # a comment has its id, the log has nothing
        "ingest.after_append",  # the log has the comment, the client no answer
        "log.before_commit",  # rows are inserted, not yet committed
        "log.after_commit",  # committed and synced, nobody was told
        "persist.comments.before_apply",
        "persist.comments.after_apply",  # rows and applied offset stand, the group did not commit
        "persist.tally.before_publish",
        "persist.tally.after_publish",  # totals published, rows not written
        "persist.tally.after_apply",
        "persist.index.before_apply",
        "persist.index.after_apply",
        "persist.index-totals.before_apply",
        "persist.index-totals.after_apply",
        "index.before_offset",  # the index's rows are written, how far they go is not
        "index.before_commit",
        "store.before_commit",  # SQLite: rows and applied offset go together
        "store.between_rows",  # Cassandra: some statements of a batch are sent
        "store.before_deletions",  # comments stand, what the batch deletes of them does, too
        "store.before_rows",  # totals stand, the rows of reactions do not
        "store.before_applied",  # rows stand, the applied offset does not
    }
)

_armed: dict[str, Callable[[], None]] = {}


def arm(name: str, action: Callable[[], None]) -> None:
    """Have `action` run when `name` is reached; raises `KeyError` for an unknown point."""
    if name not in POINTS:
        raise KeyError(f"no fault point {name!r}; there are: {', '.join(sorted(POINTS))}")
    _armed[name] = action


def disarm() -> None:
    """Forget all actions."""
    _armed.clear()


def reach(name: str) -> None:
    """Mark that the code is at this point."""
    if _armed and name in _armed:
        _armed[name]()
