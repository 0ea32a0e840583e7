"""A room's ring: its latest frames, numbered without gaps. A viewer is a cursor on it."""

from collections import deque
from collections.abc import Callable

from groundswell.broker.frames import Frame, UpdateFrame


class Ring:
    """Frames `first <= number < end`, bounded by age and bytes; the newest always stays.

    A viewer's cursor is the number of the frame that it gets next; a cursor below `first` fell
    behind and has missed frames for good.
    """

    def __init__(self, *, seconds: float, limit_bytes: int) -> None:
        self._seconds = seconds
        self._limit_bytes = limit_bytes
        self._frames: deque[tuple[float, Frame]] = deque()
        self._bytes = 0
        self.end = 0
        # Makes the ping for viewers whose cursor is at the end; set by the room of the ring.
        self.ping: Callable[[], Frame] | None = None
        # Told number and frame where a deletion rewrites one; set by a plane that has copies.
        self.replaced: Callable[[int, Frame], None] | None = None

    @property
    def first(self) -> int:
        """The oldest frame that is kept."""
        return self.end - len(self._frames)

    @property
    def bytes(self) -> int:
        """Payload bytes of all frames."""
        return self._bytes

    def append(self, frame: Frame, now: float) -> None:
        """Add the next frame at a monotonic time (seconds) and drop those beyond the bounds."""
        self._frames.append((now, frame))
        self._bytes += len(frame.payload)
        self.end += 1
        while len(self._frames) > 1 and (
            self._bytes > self._limit_bytes or self._frames[0][0] < now - self._seconds
        ):
            self._bytes -= len(self._frames.popleft()[1].payload)

    def __getitem__(self, number: int) -> Frame:
        """Return a frame; raises `IndexError` if it is not kept."""
        index = number - self.first
        if index < 0:
            raise IndexError(f"frame {number} is before {self.first}")
        return self._frames[index][1]

    def redact(self, comment_id: str) -> None:
        """Cut a deleted comment out of all frames, for cursors that have not begun them."""
        for index, (made, frame) in enumerate(self._frames):
            if isinstance(frame, UpdateFrame):
                rewritten = frame.without(comment_id)
                if rewritten is not None:
                    self._frames[index] = (made, rewritten)
                    self._bytes += len(rewritten.payload) - len(frame.payload)
                    if self.replaced is not None:
                        self.replaced(self.first + index, rewritten)
