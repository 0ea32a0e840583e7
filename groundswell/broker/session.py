"""What a viewer sends: its messages, its token, and the answers by `ref`.

A session is what the plane does not know of a connection: video, person, where to resume. What is
kept of it stands in `stream`.
"""

import asyncio
from collections.abc import Collection, Coroutine, Sequence
from dataclasses import dataclass

import msgspec
import structlog

from groundswell.broker.by_handle import ByHandle
from groundswell.broker.frames import Frame
from groundswell.broker.plane import Handle, Plane
from groundswell.broker.rooms import Rooms
from groundswell.broker.stream import Activity, Stream, open_stream
from groundswell.contract.claims import Bearer, Claims
from groundswell.contract.clock import Clock, rfc3339
from groundswell.contract.close_codes import (
    AUTH_REFUSED,
    BAD_MESSAGE,
    BANNED,
    SLOW,
    TOKEN_EXPIRED,
    UNAVAILABLE,
)
from groundswell.contract.messages import (
    Ack,
    Auth,
    Error,
    Pong,
    PostComment,
    React,
    decode_client_message,
    encode,
)
from groundswell.contract.names import is_ref
from groundswell.contract.ports.bans import Bans
from groundswell.contract.ports.uplink import Origin, Uplink
from groundswell.contract.position import Position
from groundswell.contract.problems import Refused
from groundswell.contract.reactions import Counts, chosen_by_name
from groundswell.contract.settings import RoomSettings, StreamSettings

STRIKES = 10  # messages that were not understood until the stream is closed
UPLINK_OF_ONE = 64  # messages of one viewer that wait for the log at once
UPLINK_OF_ALL = 10_000  # the same of a process: beyond it, `busy`

# While banned viewers are looked for, others get their turn after so much work: a look costs 1.
TURN_WORK = 8192  # about 2 ms
CLOSE_WORK = 64

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Session:
    """A viewer as its handshake leaves it. `claims` None: not known who it is."""

    video_id: str
    origin: Origin
    claims: Claims | None
    resume: Position | None


class Sessions:
    """Listens to the plane (`plane.PlaneEvents`) and brings messages to the gate."""

    def __init__(
        self,
        *,
        plane: Plane,
        rooms: Rooms,
        uplink: Uplink,
        control: Bans,
        clock: Clock,
        room_settings: RoomSettings,
        stream_settings: StreamSettings,
        auth_required: bool,
        token_leeway: float,
    ) -> None:
        self._plane = plane
        self._rooms = rooms
        self._uplink = uplink
        self._control = control
        self._clock = clock
        self._closes_slow = room_settings.slow_viewers == "close"
        self._rate = stream_settings.uplink_messages
        self._auth_required = auth_required
        self._token_leeway = token_leeway  # seconds, as the gate forgives them
        self._banned: set[str] = set()  # users to be looked for
        self._dismissing = False
        self._streams: ByHandle[Stream] = ByHandle()
        self._activities: dict[Handle, Activity] = {}  # of those who have sent something
        self._resumes: dict[Handle, Position] = {}  # of those who must say first who they are
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._streams)

    def begin(self, handle: Handle, session: Session) -> None:
        """Take up a connection that the plane has adopted."""
        stream, claims = open_stream(session.video_id, session.origin.address), session.claims
        if claims is not None:
            stream = stream.known_as(claims)
            self._identify(handle, claims)
        self._streams[handle] = stream
        if self._may_join(stream):
            self._join(handle, stream, session.resume)
        elif session.resume is not None:
            self._resumes[handle] = session.resume

    def dismiss_banned(self, users: Collection[str]) -> None:
        """Close the streams of these users where they are banned, soon.

        A stream that begins from now on is refused by the gate.
        """
        self._banned.update(users)
        if not self._dismissing:
            self._dismissing = True
            self._spawn(self._dismiss_banned())

    async def finish(self) -> None:
        """Wait for what is under way; call it when no message comes any more."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def stop(self) -> None:
        """Drop what is under way; nobody is left to be answered."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # From the plane

    def messages(self, batch: Sequence[tuple[Handle, bytes]]) -> None:
        for handle, text in batch:
            stream = self._streams.get(handle)
            if stream is not None:
                self._take(handle, stream, text)

    def closed(self, batch: Sequence[tuple[Handle, int]]) -> None:
        for handle, _ in batch:
            self._streams.pop(handle)
            self._activities.pop(handle, None)
            self._resumes.pop(handle, None)

    def behind(self, handle: Handle) -> None:
        stream = self._streams.get(handle)
        if stream is None or self._closes_slow:
            self._plane.close(handle, SLOW)
        else:
            self._join(handle, stream, None)

    # Within

    def _identify(self, handle: Handle, claims: Claims) -> None:
        # Not at `exp` itself: until then the same token would be taken again, and again closed.
        self._plane.identify(handle, claims.expires_s + self._token_leeway)

    async def _dismiss_banned(self) -> None:
        """Look at every stream once for all users that were banned meanwhile.

        A scan, so that viewers cost nothing for it: a million are gone through in some 0.2 s.
        """
        work = 0
        while self._banned:
            users, self._banned = self._banned, set()
            for handle, stream in self._streams.items():
                work += 1
                if stream.user_id in users and self._is_banned(stream):
                    self._plane.close(handle, BANNED)
                    work += CLOSE_WORK
                if work >= TURN_WORK:
                    work = 0
                    await asyncio.sleep(0)
        self._dismissing = False

    def _is_banned(self, stream: Stream) -> bool:
        author = stream.author
        return (
            author is not None
            and author.bannable
            and self._control.banned(author.user_id, stream.video_id) is not None
        )

    def _may_join(self, stream: Stream) -> bool:
        """Tell whether a viewer is in its room, or on its way there."""
        return stream.user_id is not None or not self._auth_required

    def _join(self, handle: Handle, stream: Stream, resume: Position | None) -> None:
        if not self._rooms.join_nowait(handle, stream.video_id, resume):
            self._spawn(self._join_later(handle, stream, resume))

    async def _join_later(self, handle: Handle, stream: Stream, resume: Position | None) -> None:
        try:
            await self._rooms.join(handle, stream.video_id, resume)
        except Refused as refused:
            note = f"retry_after={refused.retry_after or 1.0:.1f}"
            self._plane.close(handle, UNAVAILABLE, note)
        except Exception:  # whatever it is: a viewer that never gets a `welcome` would wait forever
            log.exception("room cannot be joined", video=stream.video_id)
            self._plane.close(handle, UNAVAILABLE)

    def _take(self, handle: Handle, stream: Stream, text: bytes) -> None:
        try:
            message = decode_client_message(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            code = "bad_field" if isinstance(error, msgspec.ValidationError) else "bad_json"
            self._refuse(handle, None, Refused(code, str(error)))
            self._strike(handle)
            return
        if isinstance(message, Pong):
            return
        ref = message.ref
        if ref is not None and not is_ref(ref):
            self._refuse(handle, None, Refused("bad_ref"))
            self._strike(handle)
        elif isinstance(message, Auth):
            self._authenticate(handle, stream, message)
        else:
            self._pass_up(handle, stream, message)

    def _authenticate(self, handle: Handle, stream: Stream, message: Auth) -> None:
        try:
            claims = self._uplink.authenticate(message.token, stream.video_id)
            if stream.user_id not in (None, claims.user_id):
                raise Refused("user_mismatch", "a stream cannot change its user")
        except Refused as refused:
            self._refuse(handle, message.ref, refused)
            if refused.code == "banned":
                self._plane.close(handle, BANNED)
            elif self._auth_required:
                expired = refused.code == "token_expired"
                self._plane.close(handle, TOKEN_EXPIRED if expired else AUTH_REFUSED)
            return
        self._streams[handle] = stream.known_as(claims)
        self._identify(handle, claims)
        if message.ref is not None:
            self._answer(handle, Ack(ref=message.ref))
        if not self._may_join(stream):
            self._join(handle, stream, self._resumes.pop(handle, None))

    def _pass_up(self, handle: Handle, stream: Stream, message: PostComment | React) -> None:
        """Start to carry a message out, within the budget of its viewer and of the process."""
        author, activity = stream.author, self._activity(handle)
        if author is None:
            self._refuse(handle, message.ref, Refused("token_missing"))
        elif not self._within_rate(activity):
            self._refuse(handle, message.ref, Refused("rate_limited"))
        elif activity.waiting >= UPLINK_OF_ONE or len(self._tasks) >= UPLINK_OF_ALL:
            self._refuse(handle, message.ref, Refused("busy"))
        else:
            activity.waiting += 1
            self._spawn(self._carry_out(handle, stream, author, activity, message))

    async def _carry_out(
        self,
        handle: Handle,
        stream: Stream,
        author: Bearer,
        activity: Activity,
        message: PostComment | React,
    ) -> None:
        try:
            if isinstance(message, PostComment):
                self._answer(handle, await self._post(stream, author, message))
            else:
                counts = await self._react(stream, author, message)
                self._answer(handle, Ack(ref=message.ref, reactionCount=chosen_by_name(counts)))
        except Refused as refused:
            self._refuse(handle, message.ref, refused)
        except Exception:  # whatever it is: the viewer gets an answer, the log the traceback
            log.exception("message failed", video=stream.video_id)
            self._refuse(handle, message.ref, Refused("internal"))
        finally:
            activity.waiting -= 1

    async def _post(self, stream: Stream, author: Bearer, message: PostComment) -> Ack:
        accepted = await self._uplink.post_comment(
            stream.video_id,
            message.commentText,
            author=author,
            origin=stream.origin,
            reply_to=message.replyToCommentID,
            ref=message.ref,
        )
        return Ack(
            ref=message.ref,
            commentID=accepted.comment_id,
            timestamp=rfc3339(accepted.time_ms),
            position=accepted.position,
        )

    async def _react(self, stream: Stream, author: Bearer, message: React) -> Counts:
        video_id, origin = stream.video_id, stream.origin
        if message.commentID is not None:
            return await self._uplink.react(
                video_id, message.commentID, message.reactionType, user=author, origin=origin
            )
        if message.reactionType is None:
            raise Refused("unknown_reaction", "a reaction to the video cannot be taken back")
        return await self._uplink.heart(video_id, message.reactionType, user=author, origin=origin)

    def _activity(self, handle: Handle) -> Activity:
        activity = self._activities.get(handle)
        if activity is None:
            activity = self._activities[handle] = Activity()
        return activity

    def _within_rate(self, activity: Activity) -> bool:
        second = int(self._clock.monotonic())
        if second != activity.second:
            activity.second, activity.messages = second, 0
        activity.messages += 1
        return activity.messages <= self._rate

    def _strike(self, handle: Handle) -> None:
        activity = self._activity(handle)
        activity.strikes += 1
        if activity.strikes >= STRIKES:
            self._plane.close(handle, BAD_MESSAGE)

    def _answer(self, handle: Handle, message: Ack | Error) -> None:
        self._plane.send(handle, Frame(b"answer", "", encode(message)))

    def _refuse(self, handle: Handle, ref: str | None, refused: Refused) -> None:
        self._answer(
            handle,
            Error(
                ref=ref,
                code=refused.code,
                title=refused.problem.title,
                detail=refused.detail,
                retry_after=refused.retry_after,
            ),
        )

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
