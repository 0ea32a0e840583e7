"""The gate: the ordered checks that a comment passes before it is appended to the log.

`Gate` is what the roles call (`contract/ports/uplink.py`). Reading `_CHECKS` from top to bottom
reads the policy; a new check is a new method and a new line there.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import mmh3
import orjson

from groundswell.contract.claims import Bearer, Claims
from groundswell.contract.clock import rfc3339
from groundswell.contract.events import VERSION, Event, EventFlag, EventKind, encode
from groundswell.contract.faultpoints import reach
from groundswell.contract.ids import CommentIds, time_ms_of
from groundswell.contract.names import is_ref
from groundswell.contract.partition import key_hash64, partition_of
from groundswell.contract.ports.bans import Bans
from groundswell.contract.ports.cache import Cache, CacheUnavailable, Claim
from groundswell.contract.ports.log import Appended, Log, Topic
from groundswell.contract.ports.uplink import Accepted, Origin
from groundswell.contract.position import Position
from groundswell.contract.problems import Refused
from groundswell.contract.reactions import Counts
from groundswell.ingest.append import Appender
from groundswell.ingest.limits import AddressHash, Limits
from groundswell.ingest.reactions import Reactions
from groundswell.ingest.text import clean_text
from groundswell.ingest.tokens import TokenVerifier
from groundswell.ingest.videos import Videos


@dataclass(slots=True)
class Draft:
    """A comment on its way through the gate; the checks fill in what they find out."""

    video_id: str
    text: str
    author: Bearer
    address_hash: bytes
    reply_to: str | None
    ref: str | None
    comment_id: str = ""
    time_ms: int = 0
    earlier: Claim | None = None  # an earlier request with the same key, already in the log


class Gate:
    """Implements `Uplink`. Belongs to one event loop."""

    def __init__(
        self,
        *,
        tokens: TokenVerifier,
        ids: CommentIds,
        videos: Videos,
        limits: Limits,
        addresses: AddressHash,
        reactions: Reactions,
        log: Log,
        appender: Appender,
        cache: Cache,
        control: Bans,
    ) -> None:
        self._tokens = tokens
        self._ids = ids
        self._videos = videos
        self._limits = limits
        self._addresses = addresses
        self._reactions = reactions
        self._log = log
        self._appender = appender
        self._cache = cache
        self._control = control
        self._checks = tuple(check.__get__(self) for check in _CHECKS)

    def authenticate(self, token: str, video_id: str) -> Claims:
        """Verify a token for a video, and that its bearer is not banned there; no I/O."""
        claims = self._tokens.verify(token)
        if not claims.covers(video_id):
            raise Refused("wrong_video")
        self._refuse_banned(claims, video_id)
        return claims

    def knows_video(self, video_id: str) -> bool:
        """Tell whether a video surely exists, without I/O."""
        return self._videos.knows(video_id)

    async def require_video(self, video_id: str) -> None:
        """Raise `Refused` unless the video exists."""
        await self._videos.require(video_id)

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
        address_hash = self._addresses.of(origin.address)
        draft = Draft(video_id, text, author, address_hash, reply_to, ref)
        for check in self._checks:
            await check(draft)
            if draft.earlier is not None:
                return self._answer_again(draft.earlier)
        reach("ingest.before_append")
        partition = partition_of(video_id, self._log.partitions(Topic.EVENTS))
        appended = await self._appender.append(Topic.EVENTS, partition, encode(_event_of(draft)))
        reach("ingest.after_append")
        await self._mark_done(draft, appended)
        return Accepted(draft.comment_id, draft.time_ms, self._position(appended.offset))

    async def react(
        self, video_id: str, comment_id: str, reaction: str | None, *, user: Bearer, origin: Origin
    ) -> Counts:
        """Set or (None) take back a user's reaction; returns the counts after it."""
        address_hash = await self._admit_reaction(video_id, user, origin)
        return await self._reactions.react(
            video_id, comment_id, reaction, user_id=user.user_id, address_hash=address_hash
        )

    async def heart(self, video_id: str, reaction: str, *, user: Bearer, origin: Origin) -> Counts:
        """React to the video itself; returns the video's counts after it."""
        address_hash = await self._admit_reaction(video_id, user, origin)
        return await self._reactions.heart(
            video_id, reaction, user_id=user.user_id, address_hash=address_hash
        )

    async def _admit_reaction(self, video_id: str, user: Bearer, origin: Origin) -> bytes:
        await self._videos.require(video_id)
        if not user.covers(video_id):
            raise Refused("wrong_video")
        self._refuse_banned(user, video_id)
        return self._addresses.of(origin.address)

    def _refuse_banned(self, user: Bearer, video_id: str) -> None:
        if user.bannable and (ban := self._control.banned(user.user_id, video_id)) is not None:
            until = (
                "until it is lifted" if ban.until_ms is None else f"until {rfc3339(ban.until_ms)}"
            )
            raise Refused("banned", until)

    # The checks, in the order of `_CHECKS`.

    async def _video_exists(self, draft: Draft) -> None:
        await self._videos.require(draft.video_id)

    async def _author_may_write(self, draft: Draft) -> None:
        if not draft.author.covers(draft.video_id):
            raise Refused("wrong_video")

    async def _author_is_not_banned(self, draft: Draft) -> None:
        self._refuse_banned(draft.author, draft.video_id)

    async def _text_is_fit(self, draft: Draft) -> None:
        draft.text = clean_text(draft.text)

    async def _reply_target_is_ours(self, draft: Draft) -> None:
        if draft.reply_to is not None and not self._ids.issued(draft.video_id, draft.reply_to):
            raise Refused("no_such_comment", "replyToCommentID")

    async def _is_new(self, draft: Draft) -> None:
        """Give the comment its id: a new one, or that of an earlier request with the same key."""
        if draft.ref is not None and not is_ref(draft.ref):
            raise Refused("bad_ref")
        draft.comment_id = self._ids.mint(draft.video_id)
        draft.time_ms = time_ms_of(draft.comment_id)
        if draft.ref is None:
            return
        digest = content_digest(draft.text, draft.reply_to)
        try:
            claim = await self._cache.claim(
                draft.video_id,
                draft.author.user_id,
                draft.ref,
                comment_id=draft.comment_id,
                time_ms=draft.time_ms,
                digest=digest,
            )
        except CacheUnavailable:
            return  # the log's own window of duplicates still holds (contract/dedup.py)
        if claim.digest != digest:
            raise Refused("key_reused")
        if claim.done:
            draft.earlier = claim
        draft.comment_id, draft.time_ms = claim.comment_id, claim.time_ms

    async def _within_limits(self, draft: Draft) -> None:
        await self._limits.take_comment(draft.video_id, draft.author.user_id, draft.address_hash)

    # After the checks.

    def _answer_again(self, earlier: Claim) -> Accepted:
        position = None if earlier.offset is None else self._position(earlier.offset)
        return Accepted(earlier.comment_id, earlier.time_ms, position)

    async def _mark_done(self, draft: Draft, appended: Appended) -> None:
        if draft.ref is None:
            return
        try:
            await self._cache.mark_done(
                draft.video_id, draft.author.user_id, draft.ref, offset=appended.offset
            )
        except CacheUnavailable:
            return  # a retry is then appended again and dropped by every reader

    def _position(self, offset: int) -> str:
        return str(Position(self._log.epoch(Topic.EVENTS), offset + 1))


_CHECKS: tuple[Callable[[Gate, Draft], Awaitable[None]], ...] = (
    Gate._video_exists,
    Gate._author_may_write,
    # Asked again although `authenticate` did: a stream is older than the ban of its viewer.
    Gate._author_is_not_banned,
    Gate._text_is_fit,
    Gate._reply_target_is_ours,
    # Before the limits: a repeated request gets its answer again and takes nothing from them.
    Gate._is_new,
    Gate._within_limits,
)


def content_digest(text: str, reply_to: str | None) -> int:
    """Return the 64 bits by which a repeated key is known to name the same comment."""
    # NUL occurs in neither part. Signed, so that every engine has an integer type for it.
    digest: int = mmh3.hash64(f"{reply_to or ''}\0{text}", seed=0, signed=True)[0]
    return digest


def _event_of(draft: Draft) -> Event:
    author = draft.author
    return Event(
        version=VERSION,
        kind=EventKind.COMMENT,
        video_id=draft.video_id,
        comment_id=draft.comment_id,
        user_id=author.user_id,
        flags=int(EventFlag.PRIVILEGED) if author.moderates else 0,
        parent_id=draft.reply_to,
        key_hash=key_hash64(draft.video_id, author.user_id, draft.ref or draft.comment_id),
        time_ms=draft.time_ms,
        public_json=_public_json(draft),
        private=draft.address_hash,
    )


def _public_json(draft: Draft) -> bytes:
    """Write what viewers see. The only place where a comment's JSON is made."""
    public = {
        "commentID": draft.comment_id,
        "userID": draft.author.user_id,
        "commentText": draft.text,
        "timestamp": rfc3339(draft.time_ms),
    }
    if draft.reply_to is not None:
        public["replyToCommentID"] = draft.reply_to
    if draft.ref is not None:
        public["ref"] = draft.ref
    return orjson.dumps(public)
