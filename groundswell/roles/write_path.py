"""The role `ingest`, and the gate that sockets use too."""

from collections.abc import Sequence

from aiohttp import web

from groundswell.contract.clock import Clock
from groundswell.contract.ids import CommentIds
from groundswell.contract.settings import Settings
from groundswell.ingest.append import Appender
from groundswell.ingest.bodies import BodyReader
from groundswell.ingest.counts import HeartCounts, ReactionCounts
from groundswell.ingest.gate import Gate
from groundswell.ingest.keys import TokenKey
from groundswell.ingest.limits import AddressHash, Limits
from groundswell.ingest.moderation import Moderation
from groundswell.ingest.packer import Packer
from groundswell.ingest.reactions import Reactions
from groundswell.ingest.routes import WriteRoutes
from groundswell.ingest.tokens import TokenVerifier
from groundswell.ingest.videos import Videos
from groundswell.roles.engines import Engines
from groundswell.server.addresses import ClientAddresses
from groundswell.server.shortcut import Shortcut


class WritePath:
    """The gate of a process, and the routes in front of it."""

    def __init__(
        self,
        settings: Settings,
        *,
        engines: Engines,
        ids: CommentIds,
        keys: Sequence[TokenKey],
        process_id: str,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._engines = engines
        self._ids = ids
        self._clock = clock
        self.appender = Appender(engines.log, clock=clock)
        self._videos = Videos(
            engines.accounts, registered_only=settings.videos.registered_only, clock=clock
        )
        limits = Limits(settings.limits, engines.cache, fallback=engines.local_limits)
        self.packer = Packer(
            log=engines.log,
            appender=self.appender,
            reaction_counts=ReactionCounts(engines.cache, engines.store),
            heart_counts=HeartCounts(engines.store, clock),
            process_id=process_id,
            clock=clock,
        )
        self.gate = Gate(
            tokens=TokenVerifier(
                keys,
                audience=settings.auth.audience,
                issuer=settings.auth.issuer,
                leeway=settings.auth.leeway,
                clock=clock,
                remembered=settings.auth.cached_tokens,
            ),
            ids=ids,
            videos=self._videos,
            limits=limits,
            addresses=AddressHash(settings.ids.secret.encode()),
            reactions=Reactions(ids=ids, limits=limits, packer=self.packer),
            log=engines.log,
            appender=self.appender,
            cache=engines.cache,
            control=engines.control,
        )

    def routes(self, addresses: ClientAddresses) -> tuple[list[web.RouteDef], Shortcut]:
        """Return the routes of comments and reactions, and the way past the router to one."""
        server = self._settings.server
        writes = WriteRoutes(
            self.gate,
            Moderation(
                ids=self._ids,
                videos=self._videos,
                accounts=self._engines.accounts,
                log=self._engines.log,
                appender=self.appender,
                control=self._engines.control,
                clock=self._clock,
            ),
            origin_of=addresses.origin,
            bodies=BodyReader(limit=server.body_bytes, timeout=server.body_timeout),
        )
        return writes.table(), Shortcut("/live/", "/comments", writes.comment)
