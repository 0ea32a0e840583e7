"""The one thread that writes the store: what waits together is committed together."""

import asyncio
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from groundswell.contract.faultpoints import reach
from groundswell.contract.ports.store import StoreMismatch, StoreUnavailable

Job = Callable[[sqlite3.Connection], None]

# More would let a commit take so long that the first in it waits for the last to no gain.
_JOBS_A_COMMIT = 256
# At least between two commits, in seconds: a commit costs as much as 30 rows, and each of its steps
# waits for the GIL of a busy event loop.
GATHER_S = 0.02


@dataclass(frozen=True, slots=True)
class WriterStatistics:
    """What the writer did since it started."""

    jobs: int  # committed
    commits: int
    failures: int  # transactions rolled back


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    job: Job
    done: asyncio.Future[None]


class Writer:
    """Runs jobs in transactions, in the order of `write` calls.

    `write` belongs to one event loop; jobs run in the writer's own thread. A transaction that
    fails is rolled back as a whole, and everybody in it is told; the next one starts afresh, so
    a full disk heals by itself.
    """

    def __init__(self, open_connection: Callable[[], sqlite3.Connection]) -> None:
        self._open = open_connection
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._writable = False
        self._jobs = 0
        self._commits = 0
        self._failures = 0
        self._last_commit = 0.0  # monotonic; of the thread

    async def start(self) -> None:
        """Open the connection; raises what opening it raises."""
        loop = asyncio.get_running_loop()
        opened: asyncio.Future[None] = loop.create_future()
        # Daemon: a process that dies without `close` must not hang on it; commits are atomic.
        self._thread = threading.Thread(
            target=self._run, args=(loop, opened), name="store-writer", daemon=True
        )
        self._thread.start()
        try:
            await opened
        except (StoreMismatch, StoreUnavailable):
            await self.close()
            raise

    async def close(self) -> None:
        """Commit what was given to `write`, then let go. Idempotent."""
        thread, self._thread = self._thread, None
        self._writable = False
        if thread is not None:
            self._queue.put(None)
            await asyncio.to_thread(thread.join)

    def writable(self) -> bool:
        """Whether the last transaction was committed."""
        return self._writable

    def statistics(self) -> WriterStatistics:
        """Return counters; any thread may ask."""
        return WriterStatistics(self._jobs, self._commits, self._failures)

    async def write(self, job: Job) -> None:
        """Run a job in a transaction; it is durable on return.

        Raises `StoreUnavailable`: nothing was written. A cancelled call may still write.
        """
        if self._thread is None:
            raise StoreUnavailable("store is not open")
        waiting = _Waiting(job, asyncio.get_running_loop().create_future())
        self._queue.put(waiting)
        await waiting.done

    def _run(self, loop: asyncio.AbstractEventLoop, opened: asyncio.Future[None]) -> None:
        try:
            connection = self._open()
        except (StoreMismatch, StoreUnavailable) as error:
            loop.call_soon_threadsafe(_settle, [opened], error)
            return
        self._writable = True
        loop.call_soon_threadsafe(_settle, [opened], None)
        running = True
        while running:
            together, running = self._next_jobs()
            if together:
                failure = self._commit(connection, together)
                loop.call_soon_threadsafe(_settle, [waiting.done for waiting in together], failure)
        connection.close()

    def _next_jobs(self) -> tuple[list[_Waiting], bool]:
        """Wait for a job; return all that wait with it, and whether to go on after them."""
        together: list[_Waiting] = []
        item = self._queue.get()
        self._gather()
        while item is not None:
            if not item.done.cancelled():
                together.append(item)
            if len(together) == _JOBS_A_COMMIT:
                return together, True
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return together, True
        return together, False

    def _gather(self) -> None:
        """Let more come while much is written: nobody's answer waits for the store."""
        left = self._last_commit + GATHER_S - time.monotonic()
        if left > 0:
            time.sleep(left)

    def _commit(
        self, connection: sqlite3.Connection, together: list[_Waiting]
    ) -> StoreUnavailable | None:
        try:
            connection.execute("BEGIN IMMEDIATE")
            for waiting in together:
                waiting.job(connection)
            reach("store.before_commit")
            connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001  whatever a job raised, its caller is told
            _roll_back(connection)
            self._failures += 1
            self._writable = False
            failure = StoreUnavailable(f"store could not write: {error}")
            failure.__cause__ = error
            return failure
        self._jobs += len(together)
        self._commits += 1
        self._last_commit = time.monotonic()
        self._writable = True
        return None


def _roll_back(connection: sqlite3.Connection) -> None:
    # SQLite has rolled back by itself after some errors (a full disk among them).
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def _settle(futures: list[asyncio.Future[None]], error: Exception | None) -> None:
    for future in futures:
        if future.done():  # its caller was cancelled
            continue
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)
