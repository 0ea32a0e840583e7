"""What is kept of an open stream: next to nothing while its viewer only watches.

Most viewers never send a message. So a stream is a record of texts, shared where they are equal,
and only who has sent something gets counters.
"""

from dataclasses import dataclass
from functools import lru_cache

import msgspec

from groundswell.contract.claims import Bearer, Claims, Role
from groundswell.contract.ports.uplink import Origin

SHARED_TEXTS = 1024  # the videos and the addresses (of proxies, of offices) that many come with


class Stream(msgspec.Struct, frozen=True, gc=False):
    """One viewer. `user_id` and `role` None: not known who it is.

    Its author and origin are made when they are needed: kept for each viewer they would double
    what it costs. The garbage collector does not visit it: texts cannot refer back.
    """

    video_id: str
    address: str
    user_id: str | None = None
    role: Role | None = None

    @property
    def origin(self) -> Origin:
        return Origin(self.address)

    @property
    def author(self) -> Bearer | None:
        """Who writes here; the token was verified for this video."""
        if self.user_id is None or self.role is None:
            return None
        return Bearer(self.user_id, self.role, self.video_id)

    def known_as(self, claims: Claims) -> "Stream":
        """Return the stream of somebody whose token was verified."""
        return Stream(self.video_id, self.address, claims.user_id, claims.role)


def open_stream(video_id: str, address: str) -> Stream:
    """Return the stream of nobody in particular."""
    return Stream(_shared(video_id), _shared(address))


@dataclass(slots=True)
class Activity:
    """What a viewer has sent, to hold it to its limits."""

    strikes: int = 0
    waiting: int = 0
    messages: int = 0  # of this second
    second: int = 0


@lru_cache(maxsize=SHARED_TEXTS)
def _shared(text: str) -> str:
    """Return this text, or an equal one that came lately: every request brings its own."""
    return text
