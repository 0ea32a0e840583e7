"""A population that writes: comments, replies, reactions, hearts, deletions, over both ways."""

import asyncio
import json
import random
from collections.abc import Sequence

from tests.acceptance.harness.client import Answer, Client, Unanswered
from tests.acceptance.harness.deployment import Deployment
from tests.acceptance.harness.history import PLURALS, History, Sent
from tests.acceptance.harness.viewers import Cut, Message, SocketStream

# Shares of what a writer does next. Deletions are few, as in life.
ACTIONS = {"comment": 52, "reply": 10, "reaction": 26, "heart": 9, "deletion": 3}
RECENT = 40  # reactions, replies and deletions go to one of so many latest comments


class Writer:
    """One user, one thing at a time; ends when its connection does."""

    def __init__(
        self,
        client: Client,
        history: History,
        rng: random.Random,
        *,
        user: str,
        videos: Sequence[str],
    ) -> None:
        self._client = client
        self._history = history
        self._rng = rng
        self._user = user
        self._videos = videos
        self._count = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Write until told to stop or cut off."""
        try:
            while not stop.is_set():
                await self.act()
        except (Unanswered, Cut):
            return

    async def act(self) -> None:
        """Do one thing, chosen at random."""
        action = self._rng.choices(list(ACTIONS), list(ACTIONS.values()))[0]
        video = self._rng.choice(self._videos)
        target = self._target(video)
        self._history.requests += 1
        if action == "heart":
            await self.heart(video)
        elif action == "comment" or target is None:
            await self.comment(self.compose(video))
        elif action == "reply":
            await self.comment(self.compose(video, reply_to=target))
        elif action == "reaction":
            await self.react(video, target, self._rng.choice([*PLURALS, None]))
        else:
            await self.delete(video, target)

    def _target(self, video: str) -> str | None:
        recent = [one for one in list(self._history.sent.values())[-RECENT:] if one.video == video]
        gone = self._history.deleted | self._history.unknown_deletions
        ids = [one.comment_id for one in recent if one.comment_id and one.comment_id not in gone]
        return self._rng.choice(ids) if ids else None

    def compose(self, video: str, *, reply_to: str | None = None) -> Sent:
        """Make the next comment of this user and enter it as sent."""
        self._count += 1
        ref = f"{self._user}.{self._count}"
        sent = Sent(video, self._user, f"text {ref} on {video}", ref, reply_to)
        self._history.sent[ref] = sent
        return sent

    async def comment(self, sent: Sent) -> None:
        """Send a comment (again)."""
        self._history.unknown_comments.add(sent.ref)
        answer = await self._client.post_comment(
            sent.video, sent.user, sent.text, reply_to=sent.reply_to, key=sent.ref
        )
        if self._was_refused(answer, 201):
            self._history.unknown_comments.discard(sent.ref)
        elif answer.status == 201:
            body = answer.json()
            assert body["status"] == "success", body
            self._history.accept(
                sent, body["commentID"], answer.headers.get("Groundswell-Position")
            )

    async def react(self, video: str, comment: str, reaction: str | None) -> None:
        """Set or take back this user's reaction."""
        self._history.unknown_reactions[comment, self._user] = reaction
        answer = await self._client.react(video, comment, self._user, reaction)
        if self._was_refused(answer, 200, gone=comment in self._history.deleted):
            self._history.unknown_reactions.pop((comment, self._user), None)
        elif answer.status == 200:
            self._history.react(comment, self._user, reaction)

    async def delete(self, video: str, comment: str) -> None:
        """Delete a comment as a moderator."""
        self._history.unknown_deletions.add(comment)
        answer = await self._client.delete_comment(video, comment)
        if self._was_refused(answer, 200, gone=True):
            self._history.unknown_deletions.discard(comment)
        elif answer.status == 200:
            self._history.delete(comment)

    async def heart(self, video: str) -> None:
        """Send a heart."""
        self._history.unknown_hearts[video] += 1
        answer = await self._client.heart(video, self._user)
        if self._was_refused(answer, 200):
            self._history.unknown_hearts[video] -= 1
        elif answer.status == 200:
            self._history.unknown_hearts[video] -= 1
            self._history.hearts[video] += 1

    def _was_refused(self, answer: Answer, success: int, *, gone: bool = False) -> bool:
        """Tell whether nothing was done; anything but a proper refusal is a failure."""
        if answer.status == success:
            return False
        assert answer.status in {503, 507} or (gone and answer.status == 404), (
            answer.status,
            answer.body,
        )
        self._history.refused[answer.code] += 1
        return answer.code != "outcome_unknown"

    async def settle(self) -> None:
        """Repeat what this user does not know the outcome of."""
        history = self._history
        mine = [history.sent[ref] for ref in history.unknown_comments]
        for sent in [one for one in mine if one.user == self._user]:
            await self.comment(sent)
        for (comment, user), reaction in list(history.unknown_reactions.items()):
            if user == self._user:
                await self.react(self.video_of(comment), comment, reaction)
        for comment in list(history.unknown_deletions):
            await self.delete(self.video_of(comment), comment)

    def video_of(self, comment_id: str) -> str:
        """Return the video of an acknowledged comment."""
        return next(
            one.video for one in self._history.sent.values() if one.comment_id == comment_id
        )


class SocketWriter(Writer):
    """Sends comments, reactions and hearts over a WebSocket; deletions and repeats by HTTP."""

    _stream: SocketStream | None = None
    _messages = 0

    async def connect(self, deployment: Deployment, video: str) -> None:
        """Open the socket and say who writes; it writes on this video only."""
        self._videos = [video]
        self._stream = await SocketStream.open(deployment, video, None)
        await self._ask({"type": "auth", "token": deployment.token(self._user)})

    async def close(self) -> None:
        """Let go of the socket."""
        if self._stream is not None:
            await self._stream.cut()
            self._stream = None

    async def _ask(self, message: Message) -> Message:
        """Send a message and wait for the `ack` or `error` with its `ref`."""
        assert self._stream is not None
        self._messages += 1
        ref = message.setdefault("ref", f"m{self._messages}")
        await self._stream.send(message)
        while True:
            answer: Message = json.loads(await self._stream.next_text())
            if answer["type"] == "ping":
                await self._stream.send({"type": "pong"})
            if answer["type"] in {"ack", "error"} and answer["ref"] == ref:
                return answer

    async def comment(self, sent: Sent) -> None:
        if self._stream is None:
            await super().comment(sent)
            return
        self._history.unknown_comments.add(sent.ref)
        message = {"type": "comment", "ref": sent.ref, "commentText": sent.text}
        answer = await self._ask(
            message | ({"replyToCommentID": sent.reply_to} if sent.reply_to else {})
        )
        if answer["type"] == "ack":
            self._history.accept(sent, answer["commentID"], answer.get("position"))
        elif self._refused(answer):
            self._history.unknown_comments.discard(sent.ref)

    async def react(self, video: str, comment: str, reaction: str | None) -> None:
        if self._stream is None:
            await super().react(video, comment, reaction)
            return
        self._history.unknown_reactions[comment, self._user] = reaction
        answer = await self._ask(
            {"type": "reaction", "commentID": comment, "reactionType": reaction}
        )
        if answer["type"] == "ack":
            self._history.react(comment, self._user, reaction)
        elif self._refused(answer):
            self._history.unknown_reactions.pop((comment, self._user), None)

    async def heart(self, video: str) -> None:
        if self._stream is None:
            await super().heart(video)
            return
        self._history.unknown_hearts[video] += 1
        answer = await self._ask({"type": "reaction", "reactionType": "love"})
        if answer["type"] == "ack":
            self._history.hearts[video] += 1
        if answer["type"] == "ack" or self._refused(answer):
            self._history.unknown_hearts[video] -= 1

    def _refused(self, answer: Message) -> bool:
        self._history.refused[answer["code"]] += 1
        assert answer["code"] in {"log_unavailable", "outcome_unknown", "disk_full", "draining"}, (
            answer
        )
        return bool(answer["code"] != "outcome_unknown")


class Population:
    """Many writers on some videos, with the history that they make."""

    def __init__(
        self,
        deployment: Deployment,
        client: Client,
        rng: random.Random,
        *,
        name: str,
        videos: Sequence[str],
        http: int,
        sockets: int,
    ) -> None:
        self.history = History()
        self.videos = videos
        self._deployment = deployment
        self._stop = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        seeds = [random.Random(rng.random()) for _ in range(http + sockets)]
        self._http = [
            Writer(client, self.history, seeds[i], user=f"{name}-h{i}", videos=videos)
            for i in range(http)
        ]
        self._sockets = [
            SocketWriter(client, self.history, seeds[http + i], user=f"{name}-s{i}", videos=videos)
            for i in range(sockets)
        ]

    async def start(self) -> None:
        """Connect everybody and let them write."""
        await asyncio.gather(
            *(
                writer.connect(self._deployment, self.videos[i % len(self.videos)])
                for i, writer in enumerate(self._sockets)
            )
        )
        self._tasks = [
            asyncio.create_task(writer.run(self._stop)) for writer in self._http + self._sockets
        ]

    async def stop(self) -> None:
        """Let everybody finish what they are at, and go."""
        self._stop.set()
        await asyncio.gather(*self._tasks)
        self._tasks = []
        for writer in self._sockets:
            await writer.close()

    async def settle(self) -> None:
        """Repeat whatever has an unknown outcome, until nothing has."""
        for writer in self._http + self._sockets:
            await writer.settle()
        assert not self.history.unsettled, self.history
