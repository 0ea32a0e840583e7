"""The cache: limits, idempotency, immediate counts, viewer counts. Redis, or memory.

Losing it loses no comment and no reaction. Every method raises `CacheUnavailable` instead of
making a request wait for longer than a few dozen milliseconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from groundswell.contract.ports.store import StoredComment


class CacheUnavailable(Exception):
    """The cache is bypassed right now; the caller goes on without it."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A limit for GCRA: `burst` at once, then `per_second`."""

    per_second: float
    burst: int


@dataclass(frozen=True, slots=True)
class Claim:
    """Who was first with an idempotency key: the id and time that stand for it.

    `fresh`: this call was the first. `done`: the record is known to be in the log. `digest` tells
    whether the content was the same.
    """

    comment_id: str
    time_ms: int
    digest: int
    fresh: bool
    done: bool
    offset: int | None = None  # of the record, once done


@dataclass(frozen=True, slots=True)
class Change:
    """A user's wish: react to a comment with `code`, 0 takes it back."""

    video_id: str
    comment_id: str
    user_id: str
    code: int


@dataclass(frozen=True, slots=True)
class Seed:
    """What the store knows of a comment that the cache did not: totals, and these users' codes.

    Totals may hold wishes already that the cache is yet to be told. `earlier` says what those
    users felt before them: it is entered instead where the cache keeps counts of its own.
    """

    comment_id: str
    counts: tuple[int, ...]
    codes: dict[str, int]  # user -> code, in agreement with `counts`
    earlier: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HotPage:
    """A video's newest comments, as the comments projection wrote them.

    All comments that are not deleted with `first <= offset < upto`, ascending; nothing older is on
    the page. Of two pages the greater (generation, upto) wins.
    """

    generation: int
    first: int
    upto: int
    comments: Sequence[StoredComment]


class Cache(Protocol):
    """One cache for all processes of a deployment."""

    async def start(self) -> None:
        """Open or connect. An engine that is away is no error: it is bypassed until it is back."""
        ...

    async def close(self) -> None:
        """Let go. Idempotent."""
        ...

    async def take(self, key: str, rate: Rate) -> float:
        """Take one from a limit: 0.0 if allowed, else the seconds until it will be (GCRA)."""
        ...

    async def take_all(self, limits: Sequence[tuple[str, Rate]]) -> float:
        """Take one from each of several limits, or from none if one refuses: the longest wait."""
        ...

    async def claim(
        self, video_id: str, user_id: str, key: str, *, comment_id: str, time_ms: int, digest: int
    ) -> Claim:
        """Enter an idempotency key for 10 minutes, or return who entered it before."""
        ...

    async def mark_done(self, video_id: str, user_id: str, key: str, *, offset: int) -> None:
        """Say that the record of a claim is in the log."""
        ...

    def available(self) -> bool:
        """Whether the cache is in use, or bypassed right now."""
        ...

    async def react(self, changes: Sequence[Change]) -> list[tuple[int, ...] | None]:
        """Apply wishes in order; for each the comment's counts after it.

        None: the cache does not know the comment, or what this user felt before; nothing was
        changed for that wish. Seed it and ask again.
        """
        ...

    async def seed(self, seeds: Sequence[Seed]) -> None:
        """Enter what the store knows; never replaces what the cache has for longer."""
        ...

    async def put_page(self, video_id: str, page: HotPage) -> None:
        """Keep a page unless the cache has a newer one; only the comments projection calls it."""
        ...

    async def page(self, video_id: str) -> HotPage | None:
        """Return a video's newest page, if there is one."""
        ...

    async def report_viewers(self, video_id: str, process: str, viewers: int) -> None:
        """Say how many viewers a process holds; forgotten after 15 s."""
        ...

    async def viewers(self, video_id: str) -> int:
        """Return how many viewers all processes hold."""
        ...
