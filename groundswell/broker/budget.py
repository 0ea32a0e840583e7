"""The display budget: which comments of a fast room are shown live.

The choice depends on the log alone (append times, ids, order), so every broker shows the same
comments. Log, store and GET keep all.
"""

from groundswell.contract.ids import display_hash

_HASHES = 1 << 32


class DisplayBudget:
    """Decides for one video; feed it every comment in log order, duplicates left out.

    Of each second of append time the first `rate / 2` comments are shown. Of the rest as many as
    the budget has left are shown, chosen by the id's hash against a threshold that comes from the
    number of comments in the second before.
    """

    __slots__ = ("_before", "_count", "_half", "_rate", "_second")

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._half = (rate + 1) // 2
        self._second = -1
        self._count = 0  # comments of this second so far
        self._before = 0  # comments of the second before

    def is_spent(self, last_ms: int) -> bool:
        """Tell whether a new budget would decide alike for all that comes after a time."""
        return self._second < last_ms // 1000 - 1

    def shows(self, append_ms: int, comment_id: str, *, privileged: bool) -> bool:
        """Count a comment and tell whether it is shown."""
        if self._rate == 0:
            return True
        second = append_ms // 1000
        if second != self._second:
            self._before = self._count if second == self._second + 1 else 0
            self._second = second
            self._count = 0
        self._count += 1
        if privileged or self._count <= self._half or self._before <= self._rate:
            return True
        share = (self._rate - self._half) / (self._before - self._half)
        return display_hash(comment_id) < share * _HASHES
