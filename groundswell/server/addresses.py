"""Where a request came from, when proxies may stand before us."""

import ipaddress
from collections.abc import Iterable
from functools import lru_cache

from aiohttp import web

from groundswell.contract.ports.uplink import Origin
from groundswell.server.problems import REQUEST_ID, request_id_of

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class ClientAddresses:
    """Tells a client's address; `X-Forwarded-For` is believed of trusted peers only.

    Raises `ValueError` for an entry that is neither an address nor a network.
    """

    def __init__(self, trusted: Iterable[str]) -> None:
        networks: tuple[_Network, ...] = tuple(
            ipaddress.ip_network(entry, strict=False) for entry in trusted
        )
        self._any_trusted = bool(networks)

        @lru_cache(maxsize=1024)
        def trusts(text: str) -> bool:
            address = _parse(text)
            return address is not None and any(address in network for network in networks)

        self._trusts = trusts

    def origin(self, request: web.Request) -> Origin:
        """Return where a request came from, with the id that it has in our logs."""
        return Origin(self.of(request), request.get(REQUEST_ID))

    def origin_of_peer(
        self, peer: str, forwarded_for: str | None, request_id: str | None
    ) -> Origin:
        """Return the same where only these are known of a request."""
        return Origin(self._nearest(peer, forwarded_for or ""), request_id_of(request_id))

    def of(self, request: web.Request) -> str:
        """Return the nearest address that is not a trusted proxy's."""
        address = request.remote or ""
        if not self._any_trusted:
            return address
        return self._nearest(address, ",".join(request.headers.getall("X-Forwarded-For", ())))

    def _nearest(self, address: str, forwarded_for: str) -> str:
        if not self._any_trusted or not self._trusts(address):
            return address
        # Each proxy appends the peer it saw, so the list is read from its end: everything to
        # the left of the first address that is not ours was written by who knows whom.
        for hop in reversed(forwarded_for.split(",")):
            if (parsed := _parse(hop.strip())) is None:
                break
            address = str(parsed)
            if not self._trusts(address):
                break
        return address


def _parse(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text.partition("%")[0])  # without an IPv6 zone
    except ValueError:
        return None
    # A socket that listens on both families shows IPv4 peers in this form.
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped if mapped is not None else address
