"""What a partition's reader remembers, so that viewers can resume and new rooms are warm."""

from bisect import bisect_left
from collections import deque
from collections.abc import Iterator

import msgspec

from groundswell.contract.events import EventKind

ENTRY_OVERHEAD_BYTES = 400  # an Entry, its strings and its places in two containers, measured


class Entry(msgspec.Struct, gc=False):
    """One event of a video, as rooms and resuming viewers need it.

    `public_json` becomes None when the comment is deleted: the text is sent to nobody any more.
    """

    offset: int
    append_ms: int
    kind: int
    comment_id: str
    parent_id: str | None
    public_json: bytes | None
    shown: bool

    @property
    def is_comment(self) -> bool:
        """Whether this is a comment that was not deleted."""
        return self.kind == EventKind.COMMENT and self.public_json is not None


class Backlog:
    """The latest records of one partition: all offsets with their times, entries by video.

    `first` is the oldest offset it is complete from.
    """

    def __init__(self, first: int) -> None:
        self.first = first
        self.bytes = 0
        self._offsets: list[int] = []
        self._times: list[int] = []
        self._entries: deque[tuple[str, Entry]] = deque()  # all videos, oldest first
        self._videos: dict[str, deque[Entry]] = {}

    def note(self, offset: int, append_ms: int) -> None:
        """Remember when a record was appended, whatever it was."""
        self._offsets.append(offset)
        self._times.append(append_ms)

    def add(self, video_id: str, entry: Entry) -> None:
        """Remember an event; `note` was called for its record."""
        self._entries.append((video_id, entry))
        video = self._videos.get(video_id)
        if video is None:
            video = self._videos[video_id] = deque()
        video.append(entry)
        self.bytes += ENTRY_OVERHEAD_BYTES + len(entry.public_json or b"")

    def redact(self, video_id: str, comment_id: str) -> None:
        """Forget the text of a deleted comment."""
        for entry in self._videos.get(video_id, ()):
            if entry.comment_id == comment_id and entry.kind == EventKind.COMMENT:
                self.bytes -= len(entry.public_json or b"")
                entry.public_json = None

    def since(self, video_id: str, offset: int) -> list[Entry]:
        """Return a video's entries from `offset` on, oldest first; needs `offset >= first`."""
        found: list[Entry] = []
        for entry in reversed(self._videos.get(video_id, ())):  # cuts are short: from the end
            if entry.offset < offset:
                break
            found.append(entry)
        found.reverse()
        return found

    def newest(self, video_id: str) -> Iterator[Entry]:
        """Iterate over a video's entries, newest first."""
        return reversed(self._videos.get(video_id, deque()))

    def append_time(self, offset: int) -> int | None:
        """Return when the first record at or after `offset` was appended; None: there is none."""
        index = bisect_left(self._offsets, offset)
        return self._times[index] if index < len(self._times) else None

    def forget_before(self, time_ms: int) -> None:
        """Drop everything that was appended before a time."""
        index = bisect_left(self._times, time_ms)
        if index:
            self._drop(index)

    def forget_oldest(self, share: float) -> None:
        """Drop a share of the records, to get back within the memory cap."""
        self._drop(max(1, int(len(self._offsets) * share)))

    def _drop(self, records: int) -> None:
        if not self._offsets:
            return
        last = self._offsets[min(records, len(self._offsets)) - 1]
        self.first = last + 1
        del self._offsets[:records], self._times[:records]
        while self._entries and self._entries[0][1].offset <= last:
            video_id, entry = self._entries.popleft()
            self.bytes -= ENTRY_OVERHEAD_BYTES + len(entry.public_json or b"")
            video = self._videos[video_id]
            video.popleft()
            if not video:
                del self._videos[video_id]
