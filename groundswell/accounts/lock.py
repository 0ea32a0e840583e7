"""One process a file of SQLite: a second connection that writes can corrupt it."""

import os
import sys
from pathlib import Path

from groundswell.contract.ports.accounts import AccountsUnavailable


class FileLock:
    """Held from `take` to `release`, or until the process ends, however it ends.

    A file of its own, because closing any descriptor of the database would drop SQLite's own
    locks on it (POSIX). On Windows it does nothing.
    """

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(f"{database.name}.lock")
        self._database = database
        self._fd: int | None = None

    def take(self) -> None:
        """Take the lock; raises `AccountsUnavailable` if another process has it."""
        if sys.platform == "win32":
            return
        import fcntl

        try:
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise AccountsUnavailable(
                f"unable to open {self._path}: {error.strerror}; check that its folder exists and "
                "can be written"
            ) from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(fd)
            raise AccountsUnavailable(
                f"another process has {self._database}, which only one may have at a time: stop "
                "the server first, or keep the accounts in PostgreSQL (accounts.url)"
            ) from error
        self._fd = fd

    def release(self) -> None:
        """Let go; does nothing without the lock."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
