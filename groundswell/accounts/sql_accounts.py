"""`Accounts` on any SQL engine that SQLAlchemy's asyncio and upserts reach."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

from sqlalchemy import (
    URL,
    Executable,
    Result,
    Row,
    Table,
    and_,
    case,
    column,
    delete,
    insert,
    select,
    table,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import OperationalError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from groundswell.accounts.engine import make_engine
from groundswell.accounts.failures import unavailable_on_failure
from groundswell.accounts.schema import ALL_VIDEOS, REVISION, audit, roles, users, videos
from groundswell.contract.claims import Role
from groundswell.contract.ports.accounts import AccountsUnavailable, AuditEntry, Video

_RANK = {role: rank for rank, role in enumerate(Role)}  # declared from the least to the highest
_applied_migrations = table("alembic_version", column("version_num"))


class SqlAccounts:
    """Accounts in one database. See `contract.ports.accounts.Accounts` for what methods promise.

    It owns its engine. Embedded, that is exactly one connection, which every method takes in turn.
    """

    def __init__(self, url: str | URL) -> None:
        self._url = url
        self._engine: AsyncEngine | None = None

    async def start(self) -> None:
        """Connect; raises `AccountsUnavailable` if the schema is not this program's."""
        if self._engine is not None:
            return
        self._engine = make_engine(self._url)
        try:
            revision = await self._revision()
            if revision != REVISION:
                raise AccountsUnavailable(
                    f"the accounts schema is at {revision or 'nothing'}, this program needs "
                    f"{REVISION}: run `groundswell migrate`"
                )
        except BaseException:  # an aiosqlite connection that stays open keeps the process alive
            await self.close()
            raise

    async def close(self) -> None:
        """Close every connection. Idempotent."""
        engine, self._engine = self._engine, None
        if engine is not None:
            await engine.dispose()

    async def register_video(self, video_id: str, title: str, *, created_ms: int) -> Video:
        """Register a video, or return it as it was registered before."""
        new = {"video_id": video_id, "title": title, "created_ms": created_ms}
        async with self._transaction() as connection:
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
        async with self._transaction() as connection:
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
        async with self._transaction() as connection:
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
        async with self._transaction() as connection:
            await connection.execute(delete(roles).where(given))

    async def role_of(self, user_id: str, video_id: str) -> Role:
        """Return the highest role a user has on a video; `VIEWER` if none was given."""
        query = select(roles.c.role).where(
            roles.c.user_id == user_id, roles.c.video_id.in_((video_id, ALL_VIDEOS))
        )
        given = (Role(text) for text in (await self._run(query)).scalars())
        return max(given, key=_RANK.__getitem__, default=Role.VIEWER)

    async def append_audit(self, entry: AuditEntry) -> None:
        """Add an entry to the audit log; its `entry_id` is given by the database."""
        async with self._transaction() as connection:
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

    async def _revision(self) -> str | None:
        try:
            found = await self._run(select(_applied_migrations.c.version_num))
        except ProgrammingError:  # PostgreSQL: there is no such table
            return None
        except AccountsUnavailable as error:
            # SQLite says the same with the error class that it also has for an absent file.
            cause = error.__cause__
            if isinstance(cause, OperationalError) and "no such table" in str(cause.orig):
                return None
            raise
        return found.scalar_one_or_none()

    async def _run(self, query: Executable) -> Result[Any]:
        async with self._transaction() as connection:
            return await connection.execute(query)

    @contextlib.asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection]:
        if self._engine is None:
            raise AccountsUnavailable("not started, or closed")
        with unavailable_on_failure():
            async with self._engine.begin() as connection:
                yield connection


def _upsert(connection: AsyncConnection, into: Table) -> sqlite.Insert | postgresql.Insert:
    if connection.dialect.name == "sqlite":
        return sqlite.insert(into)
    return postgresql.insert(into)


def _video(row: Row[Any]) -> Video:
    return Video(row.video_id, row.title, row.created_ms)
