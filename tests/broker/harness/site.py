"""A whole broker behind aiohttp on a free port, with a gate that a test leads."""

import asyncio
from typing import Any

from groundswell.broker.broker import Broker
from groundswell.cache.memory import MemoryCache
from groundswell.contract.claims import Claims, Role
from groundswell.contract.origins import Origins
from groundswell.contract.ports.uplink import Accepted, Origin
from groundswell.contract.problems import Refused
from groundswell.contract.settings import Settings
from groundswell.log.control import Control
from groundswell.server.app import public_app
from groundswell.server.listener import Listener
from tests.broker.harness.author import START_MS
from tests.broker.harness.stage import EPOCH
from tests.broker.harness.world import World


class FakeUplink:
    """A gate that knows the tokens "ada", "bob" and "old", and answers when it is let."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.go.set()
        self.posted: list[tuple[str, str, str | None, str | None]] = []
        self.reacted: list[tuple[str, str | None]] = []
        self.failure: Exception | None = None
        self.banned: set[str] = set()

    def authenticate(self, token: str, video_id: str) -> Claims:
        if token == "old":
            raise Refused("token_expired")
        if token not in {"ada", "bob"}:
            raise Refused("token_invalid")
        if token in self.banned:
            raise Refused("banned")
        return Claims(token, Role.VIEWER, expires_s=START_MS // 1000 + 3600)

    def knows_video(self, video_id: str) -> bool:
        return video_id not in {"missing", "unknown"}

    async def require_video(self, video_id: str) -> None:
        if video_id == "missing":
            raise Refused("no_such_video")

    async def post_comment(
        self,
        video_id: str,
        text: str,
        *,
        author: Claims,
        origin: Any,
        reply_to: str | None = None,
        ref: str | None = None,
    ) -> Accepted:
        await self.go.wait()
        if self.failure is not None:
            raise self.failure
        self.posted.append((author.user_id, text, reply_to, ref))
        return Accepted("id-1", START_MS, f"{EPOCH}:1")

    async def react(
        self, video_id: str, comment_id: str, reaction: str | None, *, user: Claims, origin: Any
    ) -> tuple[int, ...]:
        self.reacted.append((comment_id, reaction))
        return (2, 0, 1)

    async def heart(
        self, video_id: str, reaction: str, *, user: Claims, origin: Any
    ) -> tuple[int, ...]:
        self.reacted.append(("", reaction))
        return (5,)


class Site:
    """A whole broker behind aiohttp on a free port."""

    def __init__(self, world: World, uplink: FakeUplink, settings: Settings) -> None:
        self.world = world
        self._server = settings.server
        self.control = Control(world.log, clock=world.clock)
        self.broker = Broker(
            settings,
            log=world.log,
            store=world.store,
            cache=MemoryCache(clock=world.clock),
            uplink=uplink,
            control=self.control,
            ids=world.author.ids,
            clock=world.clock,
            process="p1",
            generation=1,
            origins=Origins(settings.server.origins),
            origin_of=lambda request: Origin("192.0.2.1"),
            origin_of_peer=lambda peer, forwarded_for, request_id: Origin("192.0.2.1"),
        )

    async def start(self) -> None:
        await self.control.start()
        app = public_app(self.broker.routes, settings=self._server, origins=Origins(["*"]))
        self.listener = Listener(
            app, host="127.0.0.1", settings=self._server, door=self.broker.door
        )
        self.broker.start()
        await self.listener.start()
        self.port = self.listener.port

    async def stop(self) -> None:
        self.listener.stop_accepting()
        await self.broker.stop()
        await self.control.close()
        await self.listener.close()
