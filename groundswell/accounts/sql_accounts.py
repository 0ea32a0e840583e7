"""`Accounts` on SQLite and PostgreSQL, by one set of statements."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    URL,
    Executable,
    Result,
    Row,
    Table,
    and_,
    case,
    delete,
    insert,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from groundswell.accounts.database import Database
from groundswell.accounts.schema import ALL_VIDEOS, audit, roles, users, videos
from groundswell.contract.claims import Role
from groundswell.contract.ports.accounts import AuditEntry, Video

_RANK = {role: rank for rank, role in enumerate(Role)}  # declared from the least to the highest


class SqlAccounts:
    """Accounts in one database. See `contract.ports.accounts.Accounts` for what methods promise.

    PostgreSQL is asked over at most `connections` connections. Embedded there is exactly one, which
    every method takes in turn. `database` is shared with the index.
    """

    def __init__(self, url: str | URL, *, connections: int = 5) -> None:
        self.database = Database(url, connections=connections)

    async def start(self) -> None:
        """Connect; raises `AccountsUnavailable`, also if the schema is not this program's."""
        await self.database.start()

    async def close(self) -> None:
        """Close every connection. Idempotent."""
        await self.database.close()

    def available(self) -> bool:
        """Tell whether the last question was answered."""
        return self.database.available()

    async def register_video(self, video_id: str, title: str, *, created_ms: int) -> Video:
        """Register a video, or return it as it was registered before."""
        new = {"video_id": video_id, "title": title, "created_ms": created_ms}
        async with self.database.transaction() as connection:
            await connection.execute(
                _upsert(connection, videos).values(new).on_conflict_do_nothing()
            )
            found = await connection.execute(select(videos).where(videos.c.video_id == video_id))
            return _video(found.one())

    async def video(self, video_id: str) -> Video | None:
        """Return a registered video."""
        row = (await self._run(select(videos).where(videos.c.video_id == video_id))).one_or_none()
        return None if row is None else _video(row)

    async def videos(self, *, after: str = "", limit: int = 100) -> Sequence[Video]:
        """Return registered videos in the order of their ids."""
        query = select(videos).where(videos.c.video_id > after)
        found = await self._run(query.order_by(videos.c.video_id).limit(limit))
        return [_video(row) for row in found]

    async def touch_user(self, user_id: str, *, seen_ms: int) -> None:
        """Remember a user: first and last time seen, whatever the order of the calls."""
        async with self.database.transaction() as connection:
            new = _upsert(connection, users).values(
                user_id=user_id, first_seen_ms=seen_ms, last_seen_ms=seen_ms
            )
            earlier = new.excluded.first_seen_ms < users.c.first_seen_ms
            later = new.excluded.last_seen_ms > users.c.last_seen_ms
            await connection.execute(
                new.on_conflict_do_update(
                    index_elements=[users.c.user_id],
                    set_={
                        "first_seen_ms": case(
                            (earlier, new.excluded.first_seen_ms), else_=users.c.first_seen_ms
                        ),
                        "last_seen_ms": case(
                            (later, new.excluded.last_seen_ms), else_=users.c.last_seen_ms
                        ),
                    },
                )
            )

    async def grant_role(self, user_id: str, role: Role, *, video_id: str | None = None) -> None:
        """Give a role, on one video or on all; again: changes nothing."""
        new = {"user_id": user_id, "video_id": video_id or ALL_VIDEOS, "role": role.value}
        async with self.database.transaction() as connection:
            await connection.execute(
                _upsert(connection, roles).values(new).on_conflict_do_nothing()
            )

    async def revoke_role(self, user_id: str, role: Role, *, video_id: str | None = None) -> None:
        """Take a role back; absent: changes nothing."""
        given = and_(
            roles.c.user_id == user_id,
            roles.c.video_id == (video_id or ALL_VIDEOS),
            roles.c.role == role.value,
        )
        async with self.database.transaction() as connection:
            await connection.execute(delete(roles).where(given))

    async def role_of(self, user_id: str, video_id: str) -> Role:
        """Return the highest role a user has on a video; `VIEWER` if none was given."""
        query = select(roles.c.role).where(
            roles.c.user_id == user_id, roles.c.video_id.in_((video_id, ALL_VIDEOS))
        )
        given = (Role(text) for text in (await self._run(query)).scalars())
        return max(given, key=_RANK.__getitem__, default=Role.VIEWER)

    async def granted_roles(self) -> Sequence[tuple[str, Role, str | None]]:
        """Return (user, role, video or None for all), in the order of users."""
        found = await self._run(
            select(roles.c.user_id, roles.c.role, roles.c.video_id).order_by(*roles.primary_key)
        )
        return [
            (row.user_id, Role(row.role), None if row.video_id == ALL_VIDEOS else row.video_id)
            for row in found
        ]

    async def append_audit(self, entry: AuditEntry) -> None:
        """Add an entry to the audit log; its `entry_id` is given by the database."""
        async with self.database.transaction() as connection:
            await connection.execute(
                insert(audit).values(
                    time_ms=entry.time_ms,
                    actor=entry.actor,
                    action=entry.action,
                    target=entry.target,
                    video_id=entry.video_id,
                    detail=entry.detail,
                    request_id=entry.request_id,
                )
            )

    async def audit(
        self, *, video_id: str | None = None, before: int | None = None, limit: int = 100
    ) -> Sequence[AuditEntry]:
        """Return entries, newest first; `before` is an `entry_id` to page on."""
        query = select(audit)
        if video_id is not None:
            query = query.where(audit.c.video_id == video_id)
        if before is not None:
            query = query.where(audit.c.entry_id < before)
        found = await self._run(query.order_by(audit.c.entry_id.desc()).limit(limit))
        return [AuditEntry(**row._mapping) for row in found]

    async def _run(self, query: Executable) -> Result[Any]:
        async with self.database.transaction() as connection:
            return await connection.execute(query)


def _upsert(connection: AsyncConnection, into: Table) -> sqlite.Insert | postgresql.Insert:
    if connection.dialect.name == "sqlite":
        return sqlite.insert(into)
    return postgresql.insert(into)


def _video(row: Row[Any]) -> Video:
    return Video(row.video_id, row.title, row.created_ms)
