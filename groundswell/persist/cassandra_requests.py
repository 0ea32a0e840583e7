"""The bridge between the driver's threads and the event loop.

To send one statement costs the driver about 100 us of Python, and its answers come one by one on
its own thread. So a thread of ours sends a group of statements, and only the last answer of the
group wakes the loop.
"""

import asyncio
import contextlib
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from groundswell.contract.ports.store import StoreUnavailable
from groundswell.persist.cassandra_session import CassandraSession, Row, Statement, unavailable


class Requests:
    """Sends groups of statements, in the order of calls, a bounded number at a time.

    `run` belongs to one event loop. `profile` is the driver's execution profile.
    """

    def __init__(
        self, session: CassandraSession, *, profile: object, in_flight: int, name: str
    ) -> None:
        self._session = session
        self._profile = profile
        self._room = threading.Semaphore(in_flight)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"cassandra-{name}")
        self.sent = 0  # statements
        self.wakeups = 0  # of the event loop

    async def run(self, statements: Iterable[Statement]) -> list[list[Row]]:
        """Run statements together; return the rows of each. They are taken in the thread.

        Raises `StoreUnavailable` once all that were sent are settled; others of them may have
        been carried out.
        """
        group = _Group(self._room, asyncio.get_running_loop())
        try:
            self._thread.submit(self._send, group, statements)
        except RuntimeError as error:  # shut down
            raise StoreUnavailable("store is not open") from error
        rows = await group.done
        return rows

    async def close(self) -> None:
        """Wait until everything is sent."""
        await asyncio.to_thread(self._thread.shutdown)

    def _send(self, group: "_Group", statements: Iterable[Statement]) -> None:
        try:
            for statement in statements:
                self._room.acquire()
                if group.error is not None:
                    self._room.release()
                    break
                self._send_one(group, statement)
        except Exception as error:  # noqa: BLE001  whatever it was, the caller is told
            group.fail(error)
        self.wakeups += 1
        group.all_sent()

    def _send_one(self, group: "_Group", statement: Statement) -> None:
        request = group.request()
        try:
            future = self._session.send(statement, profile=self._profile)
        except Exception as error:  # noqa: BLE001  the driver's, of any kind
            request.refused(error)
            return
        self.sent += 1
        future.add_callbacks(request.answered, request.refused, callback_args=(future,))


class _Group:
    """Statements under way together. Its methods run in the sender's and the driver's thread."""

    def __init__(self, room: threading.Semaphore, loop: asyncio.AbstractEventLoop) -> None:
        self.done: asyncio.Future[list[list[Row]]] = loop.create_future()
        self.error: Exception | None = None
        self._room = room
        self._loop = loop
        self._requests: list[_Request] = []
        self._open = 1  # the sender's own, so that no answer seems to be the last too early
        self._lock = threading.Lock()

    def request(self) -> "_Request":
        """Enter a statement; there is room for it."""
        with self._lock:
            self._open += 1
        request = _Request(self)
        self._requests.append(request)
        return request

    def fail(self, error: Exception) -> None:
        """Remember the first error."""
        self.error = self.error or error

    def settled(self) -> None:
        """Hear that a statement has its answer."""
        self._room.release()
        self._one_less()

    def all_sent(self) -> None:
        """Hear that no statement will follow."""
        self._one_less()

    def _one_less(self) -> None:
        with self._lock:
            self._open -= 1
            last = self._open == 0
        if last:
            with contextlib.suppress(RuntimeError):  # the loop is closed, nobody waits
                self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        if self.done.done():  # its caller was cancelled
            return
        if self.error is None:
            self.done.set_result([request.rows for request in self._requests])
        else:
            failure = unavailable(self.error, "do what it was asked")
            failure.__cause__ = self.error if failure is not self.error else None
            self.done.set_exception(failure)


class _Request:
    """One statement's answer."""

    __slots__ = ("_group", "_settled", "rows")

    def __init__(self, group: _Group) -> None:
        self.rows: list[Row] = []
        self._group = group
        self._settled = False

    def answered(self, rows: list[Row] | None, future: Any) -> None:
        if self._settled:  # both nodes that were asked speculatively answered
            return
        if rows:
            self.rows += rows
        if future.has_more_pages:
            future.start_fetching_next_page()
            return
        self._settle()

    def refused(self, error: Exception) -> None:
        if not self._settled:
            self._group.fail(error)
            self._settle()

    def _settle(self) -> None:
        self._settled = True
        self._group.settled()
