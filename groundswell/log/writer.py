"""The writer thread: the only one that writes the log's file.

It takes everything that is queued, appends it in one transaction and, once that is on stable
storage, tells the event loop with one call for the whole batch. What is appended meanwhile gathers
in the queue, so batches grow with the load by themselves (group commit). Between batches come
slices of upkeep and checkpoints.

After an error that leaves the disk's state in doubt the file is closed, opened again and read from
its end before anything new is acknowledged; until then appends fail at once.
"""

import asyncio
import contextlib
import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

from groundswell.contract.clock import Clock
from groundswell.contract.ports.log import LogError, LogUnavailable, OutcomeUnknown
from groundswell.filelock import FileLock
from groundswell.log import failures
from groundswell.log.caretaker import RETENTION_EVERY_S, Caretaker, UpkeepRules
from groundswell.log.database import BATCH_RECORDS_MAX, CommitFailed, Database
from groundswell.log.requests import (
    Append,
    CommitOffset,
    Listener,
    LogStatistics,
    Request,
    RunUpkeep,
    Stop,
)

_log = logging.getLogger(__name__)

RETRY_S = 1.0  # how often a failed log is tried again
SAVE_COMMITS_S = 1.0  # groups' commits ride with the next append, or go alone after this time
CHECKPOINT_BYTES = 4 << 20  # of records since the last: about 1,000 pages, SQLite's own default
GATHER_S = (
    0.003  # at least between two commits while many write at once; their p50 is longer anyway
)
GATHER_FROM = 4  # records in a commit from which on it is "many": one writer alone never waits
_ROW_BYTES = 32  # about what a record takes beside its key and value


class Writer:
    """Owns the thread and the `Database` in it. Public methods belong to the event loop."""

    def __init__(
        self,
        path: Path,
        listener: Listener,
        *,
        clock: Clock,
        partitions: int,
        max_bytes: int | None,
        rules: UpkeepRules,
    ) -> None:
        self._path = path
        self._listener = listener
        self._clock = clock
        self._partitions = partitions
        self._max_bytes = max_bytes
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[Request] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)

        # The rest belongs to the thread; the loop only reads the counters.
        self._database: Database | None = None
        self._caretaker = Caretaker(rules)
        self._asked: list[RunUpkeep] = []
        self._unsaved: dict[tuple[str, int], int] = {}  # groups' commits
        self._save_at = 0.0  # monotonic
        self._since_checkpoint = 0  # bytes, about
        self._full = False
        self._appended = self._appended_bytes = self._commits = 0
        self._failures = self._deleted = 0
        self._commit_seconds = 0.0
        self._taken: list[Append] = []  # by the turn that runs
        self._last_batch = 0  # records in the last commit
        self._last_commit = 0.0  # when it ended, monotonic

    def start(self) -> None:
        """Start the thread; `opened` or `stopped` follows."""
        self._thread.start()

    def put(self, request: Request) -> None:
        """Queue a request; never blocks."""
        self._queue.put(request)

    def join(self) -> None:
        """Wait for the thread's end; blocks."""
        self._thread.join()

    def left(self) -> list[Append]:
        """Return what was queued for a thread that has ended."""
        left: list[Append] = []
        with contextlib.suppress(queue.Empty):
            while True:
                request = self._queue.get_nowait()
                if isinstance(request, tuple):
                    left.append(request)
        return left

    def statistics(self) -> LogStatistics:
        """Return the counters."""
        return LogStatistics(
            appended=self._appended,
            appended_bytes=self._appended_bytes,
            commits=self._commits,
            commit_seconds=self._commit_seconds,
            queue_depth=self._queue.qsize(),
            failures=self._failures,
            deleted=self._deleted,
        )

    # The thread

    def _run(self) -> None:
        error: LogError | None = None
        lock = FileLock(self._path)
        try:
            self._take_file(lock)
            self._open()
            while self._turn():
                pass
        except LogError as first_opening:
            error = first_opening
        except Exception as unforeseen:  # noqa: BLE001  # nobody may wait for a thread that is gone
            _log.critical("the log's writer ended", exc_info=unforeseen)
            error = LogUnavailable(f"the log's writer ended ({unforeseen!r}): restart the server")
            self._fail(self._taken, OutcomeUnknown(*error.args))
        finally:
            self._close_database()
            lock.release()
            self._tell(self._listener.stopped, error)

    def _take_file(self, lock: FileLock) -> None:
        try:
            lock.take()
        except BlockingIOError as error:  # a second writer would hand out the same offsets
            raise LogUnavailable(
                f"another process has {lock.path}; stop it, or set server.data to another folder"
            ) from error
        except OSError as error:
            raise LogUnavailable(
                f"{lock.path} cannot be made ({error.strerror}); check that its folder exists "
                "and can be written"
            ) from error

    def _turn(self) -> bool:
        """Do what is queued, then one piece of what is due; False: stop."""
        waiting, stop = self._take()
        self._taken = waiting
        save = bool(self._unsaved) and (stop or time.monotonic() >= self._save_at)
        if waiting or save:
            self._write(waiting)
        self._taken = []
        if stop:
            self._answer_upkeep()
            return False
        if self._database is None:
            self._try_to_reopen()
        else:
            self._maintain(self._database, idle=not waiting)
        return True

    def _take(self) -> tuple[list[Append], bool]:
        """Wait for requests, take what is there; return the appends, and whether to stop."""
        waiting: list[Append] = []
        try:
            request = self._queue.get(timeout=self._patience())
        except queue.Empty:
            return waiting, False
        self._gather()
        left = self._queue.qsize()
        while True:
            if isinstance(request, tuple):
                waiting.append(request)
            elif isinstance(request, CommitOffset):
                if not self._unsaved:
                    self._save_at = time.monotonic() + SAVE_COMMITS_S
                self._unsaved[request.group, request.lane] = request.offset
            elif isinstance(request, RunUpkeep):
                self._asked.append(request)
            else:
                return waiting, True
            if left == 0 or len(waiting) == BATCH_RECORDS_MAX:
                return waiting, False
            left -= 1
            request = self._queue.get_nowait()  # it is there: nobody else takes

    def _gather(self) -> None:
        """Let more come while many write at once: every commit costs as much as ten records."""
        if self._last_batch >= GATHER_FROM:
            left = self._last_commit + GATHER_S - time.monotonic()
            if left > 0:
                time.sleep(left)

    def _patience(self) -> float:
        """How long to wait for requests before looking after something else, in seconds."""
        if self._database is None:
            return RETRY_S
        if self._caretaker.busy or self._asked:
            return 0.0
        if self._full:
            return RETRY_S
        return SAVE_COMMITS_S if self._unsaved else RETENTION_EVERY_S

    def _write(self, waiting: list[Append]) -> None:
        if self._database is None:
            self._fail(waiting, LogUnavailable("the log is being opened again after an error"))
            return
        started = time.perf_counter()
        try:
            written = self._database.write(waiting, self._unsaved)
        except CommitFailed as failure:
            error = failure.__cause__ or failure
            self._fail(waiting, failures.log_error(error, committing=True))
            self._recover_from(error)
        except Exception as error:  # noqa: BLE001  # whatever it is, nobody may be left waiting
            self._fail(waiting, failures.log_error(error, committing=False))
            self._recover_from(error)
        else:
            self._unsaved = {}
            self._full = False
            if waiting:
                self._count(waiting, time.perf_counter() - started)
                self._tell(self._listener.written, waiting, *written)

    def _count(self, waiting: list[Append], seconds: float) -> None:
        size = 0
        for _, lane, key, value in waiting:
            size += (len(key) if key else 0) + (len(value) if value else 0)
            self._caretaker.saw(lane)
        self._appended += len(waiting)
        self._appended_bytes += size
        self._commits += 1
        self._last_batch = len(waiting)
        self._last_commit = time.monotonic()
        self._commit_seconds += seconds
        self._since_checkpoint += size + _ROW_BYTES * len(waiting)

    def _maintain(self, database: Database, *, idle: bool) -> None:
        try:
            if self._since_checkpoint >= CHECKPOINT_BYTES:
                self._since_checkpoint = 0
                database.checkpoint("PASSIVE")
            if self._asked and not self._caretaker.busy:
                self._caretaker.begin(database, thorough=True)
            self._caretaker.begin_if_due(database)
            if self._caretaker.busy:
                self._step()
            elif self._full and idle:
                database.probe()
                self._full = False
                self._tell(self._listener.recovered)
        except Exception as error:  # noqa: BLE001  # the thread must go on, and say so
            self._fail([], failures.log_error(error, committing=False))
            self._recover_from(error)

    def _step(self) -> None:
        piece = self._caretaker.step()
        if piece is None:
            self._answer_upkeep()
            return
        self._deleted += piece.deleted
        if piece.first is not None:
            self._tell(self._listener.trimmed, piece.lane, piece.first)

    def _answer_upkeep(self) -> None:
        for request in self._asked:
            self._tell(self._listener.upkeep_done, request)
        self._asked.clear()

    # Failing and coming back

    def _fail(self, waiting: list[Append], error: LogError) -> None:
        self._failures += 1
        self._tell(self._listener.failed, waiting, error)

    def _recover_from(self, error: BaseException) -> None:
        self._caretaker.give_up()
        self._answer_upkeep()  # the next regular pass repeats it
        if failures.is_full(error) and self._database is not None:
            # The transaction was rolled back and nothing is in doubt: only space is missing.
            if not self._full:
                self._caretaker.hurry()
            self._full = True
        else:
            self._close_database()

    def _try_to_reopen(self) -> None:
        try:
            self._open()
        except LogError:
            return  # why was said when it failed; the next turn tries again
        self._full = False
        self._tell(self._listener.recovered)

    def _open(self) -> None:
        try:
            database = Database(
                self._path,
                clock=self._clock,
                partitions=self._partitions,
                max_bytes=self._max_bytes,
            )
        except sqlite3.Error as error:
            raise failures.opening_error(self._path, error) from error
        self._database = database
        self._tell(
            self._listener.opened, database.epochs, dict(database.lanes), dict(database.commits)
        )

    def _close_database(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None

    def _tell(self, callback: Callable[..., None], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(callback, *arguments)
        except RuntimeError:
            # The loop was closed without `Log.close`: nobody is left to be told.
            self._queue.put(Stop())
