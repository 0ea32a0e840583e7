"""Named points between two writes, where a test can have a process killed.

A point does nothing until `arm` gives it an action; only `roles.py` arms points, and only when
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
        "store.before_commit",
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
