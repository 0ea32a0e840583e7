"""Moderators' commands: deleting a comment, banning a user."""

import logging
from collections.abc import Sequence
from typing import Final

import orjson

from groundswell.contract.claims import Claims, Role
from groundswell.contract.clock import Clock, rfc3339
from groundswell.contract.control import EVERY_VIDEO, Ban, ban_key
from groundswell.contract.events import VERSION, Event, EventKind, encode
from groundswell.contract.ids import CommentIds
from groundswell.contract.partition import key_hash64, partition_of
from groundswell.contract.ports.accounts import Accounts, AccountsUnavailable, AuditEntry
from groundswell.contract.ports.bans import Bans
from groundswell.contract.ports.log import Log, Topic
from groundswell.contract.ports.uplink import Origin
from groundswell.contract.problems import Refused
from groundswell.ingest.append import Appender
from groundswell.ingest.videos import Videos

BANS_MAX: Final = 1_000_000  # every process keeps all of them in memory: about 0.5 GB
_BANS_FULL_RETRY: Final = 60.0  # seconds: bans run out or are lifted by people

_log = logging.getLogger(__name__)


class Moderation:
    """Appends deletions and bans to the log and writes down who ordered them."""

    def __init__(
        self,
        *,
        ids: CommentIds,
        videos: Videos,
        accounts: Accounts,
        log: Log,
        appender: Appender,
        control: Bans,
        clock: Clock,
    ) -> None:
        self._ids = ids
        self._videos = videos
        self._accounts = accounts
        self._log = log
        self._appender = appender
        self._control = control
        self._clock = clock

    async def delete_comment(
        self, video_id: str, comment_id: str, *, moderator: Claims, origin: Origin
    ) -> None:
        """Delete a comment for everybody; again: the same. Returns when the log has it.

        Whether the comment exists is not asked: an id that is ours and names no comment is
        deleted just as well, and its comment never comes. Raises `Refused`.
        """
        await self._videos.require(video_id)
        await self._require_moderator(moderator, video_id)
        if not self._ids.issued(video_id, comment_id):
            raise Refused("no_such_comment")
        now = self._clock.wall_ms()
        event = Event(
            version=VERSION,
            kind=EventKind.DELETION,
            video_id=video_id,
            comment_id=comment_id,
            user_id=moderator.user_id,
            flags=0,
            parent_id=None,
            # "/" cannot occur in a client's key, so this is never mistaken for a comment's.
            key_hash=key_hash64(video_id, moderator.user_id, f"delete/{comment_id}"),
            time_ms=now,
            public_json=orjson.dumps({"type": "deleted", "commentID": comment_id}),
        )
        partition = partition_of(video_id, self._log.partitions(Topic.EVENTS))
        await self._appender.append(Topic.EVENTS, partition, encode(event))
        await self._audit(
            AuditEntry(
                time_ms=now,
                actor=moderator.user_id,
                action="comment.delete",
                target=comment_id,
                video_id=video_id,
                request_id=origin.request_id,
            )
        )

    async def ban(
        self,
        video_id: str,
        user_id: str,
        *,
        seconds: int | None,
        reason: str | None,
        moderator: Claims,
        origin: Origin,
    ) -> Ban:
        """Ban a user from a video, or from `EVERY_VIDEO`; again: with the new end and reason.

        `seconds` None: until it is lifted. Returns when the log has it; every process heeds it
        within 2 s. Raises `Refused`.
        """
        await self._require_power_to_ban(moderator, video_id)
        if user_id == moderator.user_id:
            raise Refused("bad_field", "nobody can ban themselves")
        if reason is not None and not reason.isprintable():
            raise Refused("bad_field", "reason has control characters")
        known = self._control.banned(user_id, video_id)
        if known is None and len(self._control) >= BANS_MAX:
            raise Refused("busy", "too many bans stand", retry_after=_BANS_FULL_RETRY)
        now = self._clock.wall_ms()
        ban = Ban(
            version=VERSION,
            video_id=video_id,
            user_id=user_id,
            until_ms=None if seconds is None else now + seconds * 1000,
            moderator=moderator.user_id,
            time_ms=now,
            reason=reason,
        )
        await self._appender.append(Topic.CONTROL, 0, encode(ban), key=ban.key())
        end = "until it is lifted" if ban.until_ms is None else f"until {rfc3339(ban.until_ms)}"
        await self._audit(
            AuditEntry(
                time_ms=now,
                actor=moderator.user_id,
                action="user.ban",
                target=user_id,
                video_id=video_id or None,
                detail=end if reason is None else f"{end}: {reason}",
                request_id=origin.request_id,
            )
        )
        return ban

    async def lift_ban(
        self, video_id: str, user_id: str, *, moderator: Claims, origin: Origin
    ) -> None:
        """Lift a user's ban on exactly this video (or `EVERY_VIDEO`); absent: changes nothing.

        Raises `Refused`.
        """
        await self._require_power_to_ban(moderator, video_id)
        await self._appender.append(Topic.CONTROL, 0, None, key=ban_key(video_id, user_id))
        await self._audit(
            AuditEntry(
                time_ms=self._clock.wall_ms(),
                actor=moderator.user_id,
                action="user.unban",
                target=user_id,
                video_id=video_id or None,
                request_id=origin.request_id,
            )
        )

    async def bans(
        self, video_id: str, *, after: str, limit: int, moderator: Claims
    ) -> Sequence[Ban]:
        """Return bans that hold on exactly this video, by user id; raises `Refused`."""
        await self._require_power_to_ban(moderator, video_id)
        return self._control.bans_of(video_id, after=after, limit=limit)

    async def _require_power_to_ban(self, user: Claims, video_id: str) -> None:
        if video_id != EVERY_VIDEO:
            await self._videos.require(video_id)
            await self._require_moderator(user, video_id)
        elif not user.covers(EVERY_VIDEO):
            raise Refused("wrong_video")
        elif user.role is not Role.ADMIN and await self._role_of(user, video_id) is not Role.ADMIN:
            raise Refused("not_moderator", "on every video: admins only")

    async def _require_moderator(self, user: Claims, video_id: str) -> None:
        if not user.covers(video_id):
            raise Refused("wrong_video")
        if user.moderates:
            return
        if await self._role_of(user, video_id) not in (Role.MODERATOR, Role.ADMIN):
            raise Refused("not_moderator")

    async def _role_of(self, user: Claims, video_id: str) -> Role:
        """Ask the accounts; of `EVERY_VIDEO` they know the roles that hold on all."""
        try:
            return await self._accounts.role_of(user.user_id, video_id)
        except AccountsUnavailable as error:
            raise Refused("store_unavailable", "roles cannot be read") from error

    async def _audit(self, entry: AuditEntry) -> None:
        """The command stands in the log with its author; a lost entry must not undo it."""
        try:
            await self._accounts.append_audit(entry)
        except AccountsUnavailable as error:
            _log.error(
                "audit entry was not stored: %s %s %s: %s",
                entry.actor,
                entry.action,
                entry.target,
                error,
            )
