"""What only shows when options are seen together, or needs more than bounds to check."""

import ipaddress
from collections.abc import Iterator
from urllib.parse import urlsplit

from groundswell.contract.names import is_video_id
from groundswell.contract.settings import ServerSettings, Settings


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
