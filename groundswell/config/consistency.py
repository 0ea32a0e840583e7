"""What only shows when options are seen together, or needs more than bounds to check."""

import ipaddress
from collections.abc import Iterator
from urllib.parse import urlsplit

from groundswell.contract.names import is_video_id
from groundswell.contract.settings import ServerSettings, Settings

ROLES = ("ingest", "broker", "persist")


def inconsistencies(settings: Settings) -> list[str]:
    """Return a sentence for each contradiction; no sentence shows a secret."""
    return [*_server(settings.server), *_together(settings)]


def _server(server: ServerSettings) -> Iterator[str]:
    if not server.data:
        yield "server.data: is empty; name a folder"
    for origin in server.origins:
        if origin != "*" and not _is_origin(origin):
            yield f"server.origins: {origin!r} is not an origin such as https://example.com"
    for network in server.trusted_proxies:
        try:
            ipaddress.ip_network(network)
        except ValueError as error:
            yield f"server.trusted_proxies: {error}"
    if len(set(server.roles)) != len(server.roles):
        yield f"server.roles: names a role twice: {', '.join(server.roles)}"
    if server.port == server.internal_port != 0:
        yield f"server.port and server.internal_port: both are {server.port}"


def _together(settings: Settings) -> Iterator[str]:
    room, auth = settings.room, settings.auth
    yield from _shared(settings)
    if room.tick_min > room.tick_max:
        yield f"room.tick_min: {room.tick_min:g} is more than room.tick_max, {room.tick_max:g}"
    if auth.secret and auth.secret == settings.ids.secret:
        yield "auth.secret and ids.secret: are the same; each needs one of its own"
    if not is_video_id(settings.demo.video):
        yield f"demo.video: {settings.demo.video!r} is not a video id (1-64 of A-Z a-z 0-9 _ . -)"
    host = settings.server.host
    if host and not auth.secret and not auth.keys and not is_loopback(host):
        yield (
            f"server.host: {host!r} is not loopback, and a development secret serves loopback "
            "only; set auth.secret or auth.keys"
        )


def _shared(settings: Settings) -> Iterator[str]:
    """Refuse what would quietly be several half systems: a log for many, a store for one."""
    alone = ", ".join(_of_one_process(settings))
    if settings.server.workers > 1 and alone:
        yield (
            f"server.workers: {settings.server.workers} processes cannot share {alone}; set "
            "log.engine = kafka, store.engine = cassandra, cache.engine = redis and accounts.url, "
            "or server.workers = 1"
        )
    elif settings.log.engine == "kafka" and set(settings.server.roles) < set(ROLES) and alone:
        yield (
            f"server.roles: {', '.join(settings.server.roles)} alone cannot share {alone} with the "
            "processes of the other roles; set store.engine = cassandra, cache.engine = redis and "
            "accounts.url, or run all roles in one process"
        )
    url = settings.accounts.url
    if url and not url.startswith(("postgresql://", "postgres://")):
        yield "accounts.url: is not of the form postgresql://user:password@host:port/database"


def _of_one_process(settings: Settings) -> Iterator[str]:
    """Yield the options that choose an engine which only one process can use."""
    for section, embedded in (("log", "sqlite"), ("store", "sqlite"), ("cache", "memory")):
        if getattr(settings, section).engine == embedded:
            yield f"{section}.engine = {embedded}"
    if not settings.accounts.url:
        yield "accounts.url = (a file)"


def is_loopback(host: str) -> bool:
    """Tell whether an address to listen on can only be reached from this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_origin(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return text == f"{parts.scheme}://{parts.netloc}" and bool(parts.scheme and parts.hostname)
    except ValueError:  # a port or an IPv6 address that is none
        return False
