"""The write path as the live path sees it: what a socket hands to the gate.

`ingest` implements it, `broker` calls it, `roles/` joins the two.
"""

from dataclasses import dataclass
from typing import Protocol

from groundswell.contract.claims import Bearer, Claims
from groundswell.contract.reactions import Counts


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request came from: the peer's address, and the id that our logs know it by."""

    address: str
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """A comment that is in the log."""

    comment_id: str
    time_ms: int
    position: str | None  # after it; None where an earlier request's answer is repeated unknown


class Uplink(Protocol):
    """The gate, for requests and socket messages alike. Every method may raise `Refused`."""

    def authenticate(self, token: str, video_id: str) -> Claims:
        """Verify a token for a video, and that its bearer is not banned there; no I/O."""
        ...

    def knows_video(self, video_id: str) -> bool:
        """Tell whether a video surely exists; False: `require_video` may still find it."""
        ...

    async def require_video(self, video_id: str) -> None:
        """Raise `Refused` (bad_video_id, no_such_video) unless the video exists."""
        ...

    async def post_comment(
        self,
        video_id: str,
        text: str,
        *,
        author: Bearer,
        origin: Origin,
        reply_to: str | None = None,
        ref: str | None = None,
    ) -> Accepted:
        """Put a comment through the gate; returns when the log has it durably."""
        ...

    async def react(
        self, video_id: str, comment_id: str, reaction: str | None, *, user: Bearer, origin: Origin
    ) -> Counts:
        """Set or (None) take back a user's reaction; returns the counts after it."""
        ...

    async def heart(self, video_id: str, reaction: str, *, user: Bearer, origin: Origin) -> Counts:
        """React to the video itself; returns the video's counts after it."""
        ...
