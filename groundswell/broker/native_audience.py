"""The viewers of one ring on the native plane: the ring's copies in the hub's threads.

A thread learns of the room when the first of its viewers joins. From then on it is told of every
frame, rewritten frame and ping, in order with the joins.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from groundswell.broker.frames import CloseFrame, Frame
from groundswell.broker.plane import Handle
from groundswell.broker.ring import Ring
from groundswell.cext._hub import HubFrame
from groundswell.contract.close_codes import CloseCode

if TYPE_CHECKING:
    from groundswell.broker.native_plane import NativePlane


def hub_frame(frame: Frame, *, sse: bool, deflate: bool = False) -> HubFrame:
    """Return a frame as the hub sends it, made once, with the forms that somebody reads.

    One that lacks its deflated form is sent plain, as all that one viewer alone gets.
    """
    form: HubFrame | None = frame.native
    if form is not None:
        if form.has_sse >= sse and form.has_deflated >= deflate:
            return form
        sse, deflate = sse or form.has_sse, deflate or form.has_deflated
    form = HubFrame(frame.websocket, frame.sse if sse else b"", frame.deflated if deflate else None)
    frame.native = form
    return form


class NativeAudience:
    """See `plane.Audience`. `name` and `index` are what the hub calls the room."""

    def __init__(
        self,
        plane: "NativePlane",
        ring: Ring,
        passed: Callable[[float], None],
        *,
        name: int,
        index: int,
    ) -> None:
        self.name = name
        self.index = index
        self._plane = plane
        self._hub = plane.hub
        self._ring = ring
        self._passed = passed
        self._viewers = 0
        self._has_sse = False  # somebody read server-sent events once: frames have that form
        self._deflates = False  # likewise, of who negotiated deflate
        self._told: dict[int, int] = {}  # by thread: the end of the ring as it knows it
        self._pass_number = 0
        self._passing: set[int] = set()  # threads whose viewers have not all had their turn
        self._seconds = 0.0
        self._ping: tuple[Frame, int] | None = None  # that the threads have, and its cursor
        ring.replaced = self._replace

    def __len__(self) -> int:
        return self._viewers

    def join(self, handle: Handle, cursor: int, private: Sequence[Frame]) -> None:
        thread = self._hub.thread_of(handle)
        if thread < 0:
            return
        sse, deflates = self._hub.is_sse(handle), self._hub.deflates(handle)
        self._deflates |= deflates
        if sse and not self._has_sse:
            self._has_sse = True
            for number in range(self._ring.first, self._ring.end):
                self._replace(number, self._ring[number])
        self._tell(thread)
        before = self._hub.join(
            handle,
            index=self.index,
            name=self.name,
            cursor=cursor,
            private=[hub_frame(frame, sse=sse, deflate=deflates) for frame in private],
        )
        self._viewers += 1
        self._plane.left(before)

    def left(self) -> None:
        """One viewer has gone, or joined another audience."""
        self._viewers -= 1

    def publish(self) -> None:
        self._pass_number += 1
        self._passing = set(self._told)
        for thread in self._passing:
            self._tell(thread)
            self._hub.begin_pass(thread, self.index, number=self._pass_number)
        if not self._passing:
            self._end_pass()

    def turn_over(self, thread: int, number: int, seconds: float) -> None:
        """A thread's viewers have had their turn in the pass of this number."""
        self._seconds = max(self._seconds, seconds)
        if number == self._pass_number and thread in self._passing:
            self._passing.discard(thread)
            if not self._passing:
                self._end_pass()

    def renew_ping(self) -> None:
        """Tell the threads the ping that is true now."""
        ring = self._ring
        if not self._viewers or ring.ping is None:
            return
        frame, cursor = ring.ping(), ring.end
        if self._ping is not None and self._ping == (frame, cursor):
            return
        self._ping = frame, cursor
        form = hub_frame(frame, sse=self._has_sse)
        for thread in self._told:
            self._hub.set_ping(thread, self.index, form, cursor=cursor)

    def dismiss(self, code: CloseCode) -> None:
        words = hub_frame(CloseFrame(code.code, code.reason), sse=True)
        for thread in self._told:
            self._hub.dismiss(thread, self.index, code.code, words)

    def dissolve(self) -> None:
        for thread in self._told:
            self._hub.dissolve(thread, self.index)
        self._told.clear()
        self._passing.clear()
        self._viewers = 0
        self._ring.replaced = None
        self._plane.forget(self)

    def _tell(self, thread: int) -> None:
        """Have a thread know the ring to its end."""
        ring, hub = self._ring, self._hub
        told = self._told.get(thread)
        if told is None:
            told = ring.first
            hub.open_room(thread, self.index, name=self.name, start=told)
            self._ping = None
        for number in range(max(told, ring.first), ring.end):
            form = hub_frame(ring[number], sse=self._has_sse, deflate=self._deflates)
            hub.add_frame(thread, self.index, form, number=number, first=ring.first)
        self._told[thread] = ring.end

    def _replace(self, number: int, frame: Frame) -> None:
        for thread, told in self._told.items():
            if number < told:
                form = hub_frame(frame, sse=self._has_sse, deflate=self._deflates)
                self._hub.swap_frame(thread, self.index, form, number=number)

    def _end_pass(self) -> None:
        seconds, self._seconds = self._seconds, 0.0
        self._plane.count_pass(seconds)
        self._passed(seconds)
