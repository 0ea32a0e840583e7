"""Moderators' commands: deleting a comment."""

import logging

import orjson

from groundswell.contract.claims import Claims, Role
from groundswell.contract.clock import Clock
from groundswell.contract.events import VERSION, Event, EventKind, encode
from groundswell.contract.ids import CommentIds
from groundswell.contract.partition import key_hash64, partition_of
from groundswell.contract.ports.accounts import Accounts, AccountsUnavailable, AuditEntry
from groundswell.contract.ports.log import Log, Topic
from groundswell.contract.ports.uplink import Origin
from groundswell.contract.problems import Refused
from groundswell.ingest.append import Appender
from groundswell.ingest.videos import Videos

_log = logging.getLogger(__name__)


class Moderation:
    """Appends deletions to the log and writes down who ordered them."""

    def __init__(
        self,
        *,
        ids: CommentIds,
        videos: Videos,
        accounts: Accounts,
        log: Log,
        appender: Appender,
        clock: Clock,
    ) -> None:
        self._ids = ids
        self._videos = videos
        self._accounts = accounts
        self._log = log
        self._appender = appender
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

    async def _require_moderator(self, user: Claims, video_id: str) -> None:
        if not user.covers(video_id):
            raise Refused("wrong_video")
        if user.moderates:
            return
        try:
            role = await self._accounts.role_of(user.user_id, video_id)
        except AccountsUnavailable as error:
            raise Refused("store_unavailable", "roles cannot be read") from error
        if role not in (Role.MODERATOR, Role.ADMIN):
            raise Refused("not_moderator")

    async def _audit(self, entry: AuditEntry) -> None:
        """The deletion stands in the log with its author; a lost entry must not undo it."""
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
