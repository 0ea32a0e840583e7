"""One process a log: a second one would hand out the same offsets."""

import os
import sys
from pathlib import Path

from groundswell.contract.ports.log import LogUnavailable


class FileLock:
    """Held from `take` to `release`, or until the process ends, however it ends.

    A file of its own, because closing any descriptor of `log.db` would drop SQLite's own locks
    on it (POSIX). On Windows it does nothing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd: int | None = None

    def take(self) -> None:
        """Take the lock; raises `LogUnavailable` if another process has it."""
        if sys.platform == "win32":
            return
        import fcntl

        try:
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise LogUnavailable(
                f"{self._path} cannot be made ({error.strerror}); check that its folder exists "
                "and can be written"
            ) from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(fd)
            raise LogUnavailable(
                f"another process has {self._path}; stop it, or set server.data to another folder"
            ) from error
        self._fd = fd

    def release(self) -> None:
        """Let go; does nothing without the lock."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
