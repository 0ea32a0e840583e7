"""Accounts: users, videos, roles, audit. PostgreSQL, or SQLite when embedded."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from groundswell.contract.claims import Role


class AccountsUnavailable(Exception):
    """The engine did not answer."""


@dataclass(frozen=True, slots=True)
class Video:
    """A registered video."""

    video_id: str
    title: str
    created_ms: int


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who did what to what; append-only."""

    time_ms: int
    actor: str  # user id
    action: str  # "comment.delete", "role.grant", ...
    target: str  # what it was done to: a comment id, a user id
    video_id: str | None = None
    detail: str | None = None
    request_id: str | None = None
    entry_id: int | None = None  # None until it is stored


class Accounts(Protocol):
    """Slow-changing facts about people and videos. All methods raise `AccountsUnavailable`."""

    async def start(self) -> None:
        """Open or connect; the schema must be current (`groundswell migrate`).

        `AccountsUnavailable`: it may be tried again, and until it worked all methods raise it.
        """
        ...

    async def close(self) -> None:
        """Let go. Idempotent."""
        ...

    def available(self) -> bool:
        """Whether the last question was answered."""
        ...

    async def register_video(self, video_id: str, title: str, *, created_ms: int) -> Video:
        """Register a video, or return it as it was registered before."""
        ...

    async def video(self, video_id: str) -> Video | None:
        """Return a registered video."""
        ...

    async def videos(self, *, after: str = "", limit: int = 100) -> Sequence[Video]:
        """Return registered videos in the order of their ids."""
        ...

    async def touch_user(self, user_id: str, *, seen_ms: int) -> None:
        """Remember a user: first and last time seen."""
        ...

    async def grant_role(self, user_id: str, role: Role, *, video_id: str | None = None) -> None:
        """Give a role, on one video or on all; again: changes nothing."""
        ...

    async def revoke_role(self, user_id: str, role: Role, *, video_id: str | None = None) -> None:
        """Take a role back; absent: changes nothing."""
        ...

    async def role_of(self, user_id: str, video_id: str) -> Role:
        """Return the highest role a user has on a video; `VIEWER` if none was given."""
        ...

    async def append_audit(self, entry: AuditEntry) -> None:
        """Add an entry to the audit log."""
        ...

    async def audit(
        self, *, video_id: str | None = None, before: int | None = None, limit: int = 100
    ) -> Sequence[AuditEntry]:
        """Return entries, newest first; `before` is an `entry_id` to page on."""
        ...
