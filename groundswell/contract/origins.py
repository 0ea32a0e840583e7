"""Which web pages may connect: the check of `Origin` (RFC 6454) for sockets, SSE and CORS.

Programs that are not browsers send no `Origin` and are not held by it. No cookie is ever looked
at, so a foreign page could do nothing in its visitor's name; this keeps it from being a viewer.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_ORIGIN = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?"
)
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class _Place:
    scheme: str
    host: str
    port: int


class Origins:
    """The configured origins: exact scheme, host and port, or `*` for all.

    Raises `ValueError` for one that could never match, such as one with a path.
    """

    def __init__(self, allowed: Iterable[str]) -> None:
        self._any = False
        self._allowed: set[_Place] = set()
        for text in allowed:
            place = _parse(text)
            if text == "*":
                self._any = True
            elif place is None:
                raise ValueError(f"not an origin like https://example.com: {text!r}")
            else:
                self._allowed.add(place)

    @property
    def any(self) -> bool:
        """Whether every origin is allowed."""
        return self._any

    def allows(self, origin: str | None, *, host: str | None) -> bool:
        """Tell whether a page of `origin` may connect to a server reached as `host`.

        `origin` and `host` are the request's headers. The server's own origin is that with the
        same host and port; its scheme is not compared, since TLS may end at a proxy.
        """
        if origin is None or self._any:
            return True
        place = _parse(origin)
        if place is None:  # "null" of sandboxed pages and files, user info, paths, other schemes
            return False
        if place in self._allowed:
            return True
        return host is not None and _parse(f"{place.scheme}://{host}") == place


def _parse(text: str) -> _Place | None:
    match = _ORIGIN.fullmatch(text.lower())
    if match is None:
        return None
    scheme = match["scheme"]
    port = int(match["port"]) if match["port"] else _DEFAULT_PORTS[scheme]
    return _Place(scheme, match["host"], port) if port <= 65535 else None
