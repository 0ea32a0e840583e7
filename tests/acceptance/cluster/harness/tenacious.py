"""Writers and viewers that do not give up: they come back by themselves, as pages do."""

import asyncio
import random
import time

import aiohttp
import websockets

from tests.acceptance.harness.client import Answer, Client, Unanswered
from tests.acceptance.harness.deployment import Door
from tests.acceptance.harness.history import History, Sent
from tests.acceptance.harness.viewers import Cut, Message, Viewer
from tests.acceptance.harness.waiting import POLL_S
from tests.acceptance.harness.writers import SocketWriter, Writer

RETRY_S = 0.2  # between two attempts: pages wait longer, and would see less of the fault
ANSWERED_WITHIN_S = 20.0
GONE = (
    Unanswered,
    Cut,
    OSError,
    TimeoutError,
    aiohttp.ClientError,
    websockets.InvalidHandshake,
    websockets.InvalidMessage,
)


class TenaciousWriter(Writer):
    """Repeats whatever has an unknown outcome, with the same key, until it knows."""

    _repeating = False

    async def run(self, stop: asyncio.Event) -> None:
        """Write until told to stop."""
        while not stop.is_set():
            try:
                await self.act()
            except GONE:
                await asyncio.sleep(RETRY_S)
            await self._repeat(stop)

    async def _repeat(self, stop: asyncio.Event) -> None:
        while self._doubts() and not stop.is_set():
            try:
                await self.settle()
            except GONE:
                await asyncio.sleep(RETRY_S)

    def _doubts(self) -> bool:
        history = self._history
        return any(history.sent[ref].user == self._user for ref in history.unknown_comments) or any(
            user == self._user for _, user in history.unknown_reactions
        )

    async def settle(self) -> None:
        """Repeat once what this user does not know the outcome of."""
        history, self._repeating = self._history, True
        mine = [ref for ref in history.unknown_comments if history.sent[ref].user == self._user]
        try:
            await super().settle()
        finally:
            self._repeating = False
            for ref in mine:
                # Of two records the first counts, and the answer may have named the second's place.
                history.sent[ref].offset = None

    def _was_refused(self, answer: Answer, success: int, *, gone: bool = False) -> bool:
        refused = super()._was_refused(answer, success, gone=gone)
        # That a repetition was refused says nothing about the attempt before it.
        return refused and (answer.status == 404 or not self._repeating)


class TenaciousSocketWriter(TenaciousWriter, SocketWriter):
    """Writes over a socket; where that is cut, by HTTP until there is another."""

    _door: Door | None = None

    async def connect(self, deployment: Door, video: str) -> None:
        """Open the socket and say who writes; it writes on this video only."""
        self._door = deployment
        await super().connect(deployment, video)

    async def act(self) -> None:
        """Do one thing; with a new socket if the last one is gone."""
        if self._stream is None and self._door is not None:
            await self.connect(self._door, self._videos[0])
        await super().act()

    async def _ask(self, message: Message) -> Message:
        try:
            async with asyncio.timeout(ANSWERED_WITHIN_S):
                return await super()._ask(message)
        except (Cut, TimeoutError):
            await self.close()
            raise

    def _refused(self, answer: Message) -> bool:
        return super()._refused(answer) and not self._repeating


class TenaciousViewer:
    """Follows a video through one door, and comes back with its position whenever it is cut."""

    def __init__(self, door: Door, video: str) -> None:
        self.viewer = Viewer(door, video)
        self.video = video
        self.returns = 0  # how often it had to come back
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Connect, then follow in a task."""
        await self.viewer.open()
        self._task = asyncio.create_task(self._follow())

    async def _follow(self) -> None:
        while True:
            if self.viewer.ended is not None:
                self.returns += 1
                await self._come_back()
            await asyncio.sleep(POLL_S)

    async def _come_back(self) -> None:
        while True:
            await self.viewer.cut()
            try:
                await self.viewer.open()
            except (*GONE, AssertionError):  # no answer, or no welcome
                await asyncio.sleep(RETRY_S)
            else:
                return

    async def stop(self) -> None:
        """Let go."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.viewer.cut()


class TenaciousPopulation:
    """Writers on some videos, who go on through every fault, with the history that they make."""

    def __init__(
        self, door: Door, client: Client, rng: random.Random, *, name: str, videos: list[str]
    ) -> None:
        self.history = History()
        self.videos = videos
        self._door = door
        self._prober = TenaciousWriter(
            client, self.history, rng, user=f"{name}-probe", videos=videos
        )
        self._stop = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        kinds = [TenaciousWriter] * 6 + [TenaciousSocketWriter] * 3
        self._writers = [
            kind(
                client,
                self.history,
                random.Random(rng.random()),
                user=f"{name}-{i}",
                videos=videos,
            )
            for i, kind in enumerate(kinds)
        ]

    async def start(self) -> None:
        """Connect everybody and let them write."""
        for i, writer in enumerate(self._writers):
            if isinstance(writer, TenaciousSocketWriter):
                await writer.connect(self._door, self.videos[i % len(self.videos)])
        self._tasks = [asyncio.create_task(writer.run(self._stop)) for writer in self._writers]

    def compose_probe(self, video: str) -> Sent:
        """Make a comment that is not chosen at random."""
        return self._prober.compose(video)

    async def probe(self, sent: Sent) -> None:
        """Send it (again)."""
        await self._prober.comment(sent)

    async def stop(self) -> None:
        """Let everybody finish what they are at, and go."""
        self._stop.set()
        await asyncio.gather(*self._tasks)
        for writer in self._writers:
            if isinstance(writer, TenaciousSocketWriter):
                await writer.close()

    async def settle(self, *, within: float) -> None:
        """Repeat whatever has an unknown outcome until nothing has."""
        began = time.monotonic()
        while self.history.unsettled:
            for writer in [*self._writers, self._prober]:
                try:
                    await writer.settle()
                except GONE:
                    await asyncio.sleep(RETRY_S)
            assert time.monotonic() - began < within, self.history.unsettled
