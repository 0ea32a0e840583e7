"""Time that a test moves, and events as the gate would write them."""

import json

from groundswell.broker.backlog import Entry
from groundswell.contract.events import VERSION, Event, EventKind, TotalsRecord
from groundswell.contract.ids import CommentIds
from groundswell.contract.partition import key_hash64
from tests.clocks import START_MS, FakeClock

SECRET = b"0123456789abcdef"


class Author:
    """Makes events as the gate would."""

    def __init__(self, clock: FakeClock) -> None:
        self.ids = CommentIds(SECRET, now_ms=clock.wall_ms, process_random=7)
        self._clock = clock

    def comment(
        self,
        text: str = "hello",
        *,
        video: str = "v",
        user: str = "ada",
        ref: str | None = None,
        parent: str | None = None,
        flags: int = 0,
    ) -> Event:
        comment_id = self.ids.mint(video)
        public = {"commentID": comment_id, "userID": user, "commentText": text}
        return Event(
            version=VERSION,
            kind=EventKind.COMMENT,
            video_id=video,
            comment_id=comment_id,
            user_id=user,
            flags=flags,
            parent_id=parent,
            key_hash=key_hash64(video, user, ref or comment_id),
            time_ms=self._clock.wall,
            public_json=json.dumps(public, separators=(",", ":")).encode(),
        )

    def deletion(self, comment_id: str, *, video: str = "v") -> Event:
        public = {"type": "deleted", "commentID": comment_id}
        return Event(
            version=VERSION,
            kind=EventKind.DELETION,
            video_id=video,
            comment_id=comment_id,
            user_id="mod",
            flags=0,
            parent_id=None,
            key_hash=key_hash64(video, "mod", f"delete/{comment_id}"),
            time_ms=self._clock.wall,
            public_json=json.dumps(public, separators=(",", ":")).encode(),
        )

    @staticmethod
    def totals(comment_id: str, likes: int, *, offset: int, video: str = "v") -> TotalsRecord:
        return TotalsRecord(VERSION, video, comment_id, 0, 1, offset, (likes, 0, 0, 0, 0, 0))

    @staticmethod
    def entry(event: Event, offset: int, append_ms: int = START_MS, *, shown: bool = True) -> Entry:
        return Entry(
            offset,
            append_ms,
            event.kind,
            event.comment_id,
            event.parent_id,
            event.public_json,
            shown,
        )
