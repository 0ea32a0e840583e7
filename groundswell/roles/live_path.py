"""The role `broker`: rooms, streams and reads, and the pages that show them."""

from collections.abc import Sequence
from importlib.resources import files

import structlog
from aiohttp import web

from groundswell.broker.broker import Broker
from groundswell.contract.clock import Clock
from groundswell.contract.ids import CommentIds
from groundswell.contract.origins import Origins
from groundswell.contract.ports.uplink import Uplink
from groundswell.contract.settings import Settings
from groundswell.guests import GuestSigner
from groundswell.ingest.keys import TokenKey
from groundswell.roles.engines import Engines
from groundswell.server.addresses import ClientAddresses
from groundswell.server.pages import guest_routes, page_routes

log = structlog.get_logger(__name__)


def make_broker(
    settings: Settings,
    *,
    engines: Engines,
    uplink: Uplink,
    ids: CommentIds,
    origins: Origins,
    addresses: ClientAddresses,
    process_id: str,
    clock: Clock,
) -> Broker:
    """Put a broker together; `start` it."""
    return Broker(
        settings,
        log=engines.log,
        store=engines.store,
        cache=engines.cache,
        uplink=uplink,
        control=engines.control,
        ids=ids,
        clock=clock,
        process=process_id,
        generation=engines.log.generation(),
        origins=origins,
        origin_of=addresses.origin,
        origin_of_peer=addresses.origin_of_peer,
    )


def pages() -> list[web.RouteDef]:
    """Return the viewer page and the client."""
    return page_routes(files("groundswell.web"))


def guests(
    settings: Settings, *, keys: Sequence[TokenKey], addresses: ClientAddresses, clock: Clock
) -> list[web.RouteDef]:
    """Return the route that gives sessions to guests, if there is a key to sign them with."""
    shared = next((key for key in keys if isinstance(key.material, bytes)), None)
    if shared is None or not isinstance(shared.material, bytes):
        log.warning("no guest sessions: auth.keys has no HS256 key to sign them with")
        return []
    signer = GuestSigner(
        shared.material,
        kid=shared.kid,
        audience=settings.auth.audience,
        issuer=settings.auth.issuer,
        clock=clock,
    )
    return guest_routes(signer.sign, address_of=addresses.of)
