"""What an error of SQLite means for a log."""

import sqlite3

from groundswell.contract.ports.log import LogError, LogFull, LogUnavailable, OutcomeUnknown


def name_of(error: BaseException) -> str:
    """Return SQLite's name of an error, `SQLITE_FULL` for one."""
    return getattr(error, "sqlite_errorname", "") or ""


def is_full(error: BaseException) -> bool:
    """Tell whether there was no space."""
    return name_of(error) == "SQLITE_FULL"


def log_error(error: BaseException, *, committing: bool) -> LogError:
    """Return what to tell those whose records were in a transaction that failed.

    An error in COMMIT that is not for want of space leaves open what is on the disk: a failed
    fsync says nothing about which pages arrived.
    """
    if is_full(error):
        return LogFull("no space left for the log; free some: it goes on by itself")
    if committing:
        return OutcomeUnknown(f"the log's commit failed: {error}")
    if name_of(error).startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
        return LogUnavailable(
            f"the log cannot be written ({error}); check the owner and the rights of its folder"
        )
    return LogUnavailable(f"the log cannot be written: {error}")


def opening_error(path: object, error: sqlite3.Error) -> LogUnavailable:
    """Return what to tell when the file cannot be opened."""
    return LogUnavailable(
        f"{path} cannot be opened ({error}); check that its folder exists and can be written"
    )
