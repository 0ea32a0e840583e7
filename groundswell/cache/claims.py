"""Idempotency keys of the last 10 minutes, by their 64-bit hash."""

from collections import deque
from dataclasses import replace

from groundswell.contract.ports.cache import Claim

CLAIM_S = 600.0
CLAIMS_MAX = 1_000_000  # about 350 bytes each; beyond it the oldest go, the log's own window stays
_BUCKET_S = 10.0  # claims are forgotten in groups of so many seconds


class _Entry:
    __slots__ = ("claim", "expires")

    def __init__(self, claim: Claim, expires: float) -> None:
        self.claim = claim
        self.expires = expires


class Claims:
    """Who was first with which key. Times are in seconds of a monotonic clock."""

    def __init__(self, *, claims_max: int = CLAIMS_MAX) -> None:
        self._claims_max = claims_max
        self._entries: dict[int, _Entry] = {}
        self._wheel: dict[int, list[int]] = {}  # bucket -> keys that expire in it
        self._due: deque[int] = deque()  # buckets in order of time

    def __len__(self) -> int:
        return len(self._entries)

    def claim(
        self, key_hash: int, *, comment_id: str, time_ms: int, digest: int, now: float
    ) -> Claim:
        """Enter a key, or return who entered it within the last 10 minutes."""
        entry = self._entries.get(key_hash)
        if entry is not None and entry.expires > now:
            if entry.claim.fresh:  # only who entered it was the first
                entry.claim = replace(entry.claim, fresh=False)
            return entry.claim
        first = Claim(comment_id, time_ms, digest, fresh=True, done=False)
        self._enter(key_hash, first, now + CLAIM_S, now)
        return first

    def mark_done(self, key_hash: int, *, offset: int) -> None:
        """Note that the record is in the log; does nothing for a key that is not known."""
        entry = self._entries.get(key_hash)
        if entry is not None:
            entry.claim = replace(entry.claim, fresh=False, done=True, offset=offset)

    def restore(self, key_hash: int, claim: Claim, *, age: float, now: float) -> None:
        """Enter a claim of `age` seconds ago, unless it is too old or the key is there already."""
        if age < CLAIM_S and key_hash not in self._entries:
            self._enter(key_hash, claim, now - max(age, 0.0) + CLAIM_S, now)

    def _enter(self, key_hash: int, claim: Claim, expires: float, now: float) -> None:
        self._forget_before(now)
        while len(self._entries) >= self._claims_max:
            self._forget_bucket()
        self._entries[key_hash] = _Entry(claim, expires)
        bucket = int(expires / _BUCKET_S)
        keys = self._wheel.get(bucket)
        if keys is None:
            self._wheel[bucket] = [key_hash]
            if self._due and bucket < self._due[-1]:  # only while restoring
                self._due = deque(sorted([*self._due, bucket]))
            else:
                self._due.append(bucket)
        else:
            keys.append(key_hash)

    def _forget_before(self, now: float) -> None:
        while self._due and (self._due[0] + 1) * _BUCKET_S <= now:
            self._forget_bucket()

    def _forget_bucket(self) -> None:
        bucket = self._due.popleft()
        for key_hash in self._wheel.pop(bucket):
            entry = self._entries.get(key_hash)
            # A key that expired and was claimed anew stands in a later bucket too.
            if entry is not None and int(entry.expires / _BUCKET_S) == bucket:
                del self._entries[key_hash]
