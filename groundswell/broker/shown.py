"""The comments that a room has shown lately, with their totals, and the video's hearts."""

from collections import OrderedDict
from collections.abc import Iterable

from groundswell.broker.backlog import Entry
from groundswell.cext.frames import with_reactions
from groundswell.contract.events import TotalsRecord
from groundswell.contract.reactions import Counts, counts_json

SHOWN_COMMENTS = 500  # totals are sent for these: what pages can still show
FRAME_TOTALS = 200  # totals in one frame, at most
HEARTS_WINDOW_MAX = 1.0  # seconds; after a pause hearts fly at once, not spread over the pause


def is_newer(record: TotalsRecord, known: TotalsRecord | None) -> bool:
    """Tell whether a record replaces what is known: the greater (generation, offset) wins."""
    if known is None:
        return True
    return (record.generation, record.offset) > (known.generation, known.offset)


class Shown:
    """Latest comments first in, first out; totals only of those, and only the latest values."""

    def __init__(self, *, now: float) -> None:
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self._announced: set[str] = set()  # will be shown by the next frame
        self._totals: dict[str, TotalsRecord] = {}
        self._changed: dict[str, None] = {}  # ids whose totals no frame has carried yet
        self._hearts: dict[int, TotalsRecord] = {}
        self._hearts_sent = 0
        self._hearts_at = now

    def announce(self, comment_id: str) -> None:
        """Say that a comment is pending, so that its totals are kept already."""
        self._announced.add(comment_id)

    def remember(self, entries: Iterable[Entry]) -> None:
        """Enter what a frame or a snapshot shows."""
        self._announced.clear()
        for entry in entries:
            if entry.is_comment and entry.shown:
                self._entries[entry.comment_id] = entry
        while len(self._entries) > SHOWN_COMMENTS:
            comment_id, _ = self._entries.popitem(last=False)
            self._forget_totals(comment_id)

    def forget(self, comment_id: str) -> None:
        """Take a deleted comment out."""
        self._entries.pop(comment_id, None)
        self._announced.discard(comment_id)
        self._forget_totals(comment_id)

    def newest(self, limit: int) -> list[bytes]:
        """Return the public objects of the newest comments with their reactions, ascending."""
        entries = list(self._entries.values())[max(0, len(self._entries) - limit) :]
        return [self._with_totals(entry) for entry in entries]

    def accept(self, record: TotalsRecord) -> bool:
        """Take totals of a comment or hearts; tell whether they change what is shown."""
        if not record.comment_id:
            if is_newer(record, self._hearts.get(record.source)):
                self._hearts[record.source] = record
            return self._hearts_waiting() > 0
        comment_id = record.comment_id
        if comment_id not in self._entries and comment_id not in self._announced:
            return False
        if not is_newer(record, self._totals.get(comment_id)):
            return False
        self._totals[comment_id] = record
        self._changed[comment_id] = None
        return True

    def settle(self) -> None:
        """Take everything known so far as sent: a snapshot carries it."""
        self._changed.clear()
        self._hearts_sent += max(0, self._hearts_waiting())

    @property
    def waiting(self) -> bool:
        """Whether there are totals or hearts that no frame has carried."""
        return bool(self._changed) or self._hearts_waiting() > 0

    def take_totals(self) -> dict[str, Counts]:
        """Return the totals for the next frame, oldest change first."""
        taken = list(self._changed)[:FRAME_TOTALS]
        for comment_id in taken:
            del self._changed[comment_id]
        return {comment_id: self._totals[comment_id].counts for comment_id in taken}

    def latest_totals(self) -> dict[str, Counts]:
        """Return the totals of the newest comments that have any, for those who resume."""
        latest = list(self._totals.items())[-FRAME_TOTALS:]
        return {comment_id: record.counts for comment_id, record in latest}

    def take_hearts(self, now: float, *, least_window: float) -> tuple[int, int] | None:
        """Return (count, window in ms) of the hearts since the last frame that had some."""
        count = self._hearts_waiting()
        if count <= 0:
            return None
        window = min(max(now - self._hearts_at, least_window), HEARTS_WINDOW_MAX)
        self._hearts_sent += count
        self._hearts_at = now
        return count, int(window * 1000)

    def _hearts_waiting(self) -> int:
        return sum(sum(record.counts) for record in self._hearts.values()) - self._hearts_sent

    def _forget_totals(self, comment_id: str) -> None:
        self._totals.pop(comment_id, None)
        self._changed.pop(comment_id, None)

    def _with_totals(self, entry: Entry) -> bytes:
        record = self._totals.get(entry.comment_id)
        counts = b"{}" if record is None else counts_json(record.counts)
        return with_reactions(entry.public_json or b"{}", counts)
