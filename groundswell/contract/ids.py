"""Comment ids: UUIDv7 text that a stateless gate can verify without I/O.

Layout (RFC 9562 section 5.7, 128 bits, most significant first):

    time_ms 48 | version 4 | counter 12 | variant 2 | process random 30 | MAC 32

The MAC is keyed BLAKE2s over the video id and the 96 bits before it, so an id that names a reply
target, a reaction or a deletion is known to be one that we issued for this video. 32 bits keep a
forger at 2^32 requests for one id that still names no comment; the limits bite long before.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable

COMMENT_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
SECRET_BYTES_MIN = 16
_COUNTER_LIMIT = 1 << 12
_RANDOM_LIMIT = 1 << 30


class CommentIds:
    """Mints ids that increase within this process, and verifies ids of any process.

    Not thread-safe: one instance belongs to one event loop.
    """

    def __init__(
        self,
        secret: bytes,
        *,
        now_ms: Callable[[], int],
        process_random: int | None = None,
    ) -> None:
        if len(secret) < SECRET_BYTES_MIN:
            raise ValueError(f"ids secret has {len(secret)} bytes, needs {SECRET_BYTES_MIN}")
        # A keyed state is copied for each id: hashing the key anew would double the cost.
        self._keyed = hashlib.blake2s(key=secret[:32], digest_size=4, person=b"gs-cmtid")
        self._now_ms = now_ms
        random = secrets.randbelow(_RANDOM_LIMIT) if process_random is None else process_random
        self._low = (0b10 << 30) | (random % _RANDOM_LIMIT)
        self._last_ms = 0
        self._counter = 0

    def mint(self, video_id: str) -> str:
        """Return a new id for a comment on this video, greater than all before it."""
        now = self._now_ms()
        if now > self._last_ms:
            self._last_ms = now
            self._counter = 0
        else:  # same millisecond, or the clock went back: hold the time, count on
            self._counter += 1
            if self._counter == _COUNTER_LIMIT:
                self._last_ms += 1
                self._counter = 0
        head = (self._last_ms << 48) | (0x7 << 44) | (self._counter << 32) | self._low
        raw = head.to_bytes(12, "big")
        text = (raw + self._mac(video_id, raw)).hex()
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def issued(self, video_id: str, comment_id: str) -> bool:
        """Tell whether a process with our secret minted this id for this video."""
        if COMMENT_ID.fullmatch(comment_id) is None:
            return False
        raw = bytes.fromhex(comment_id.replace("-", ""))
        return hmac.compare_digest(raw[12:], self._mac(video_id, raw[:12]))

    def _mac(self, video_id: str, raw: bytes) -> bytes:
        mac = self._keyed.copy()
        mac.update(video_id.encode())
        mac.update(raw)  # fixed length, so (video, raw) pairs cannot run into each other
        return mac.digest()


def time_ms_of(comment_id: str) -> int:
    """Return the time in a comment id, in milliseconds since the Unix epoch."""
    return int(comment_id[:8] + comment_id[9:13], 16)


def display_hash(comment_id: str) -> int:
    """Return 32 evenly spread bits of an id (its MAC), the same in every process."""
    return int(comment_id[-8:], 16)
