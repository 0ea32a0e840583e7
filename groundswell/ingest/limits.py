"""How fast one user and one address may write (GCRA, counted in the cache)."""

import hashlib
import ipaddress
from collections.abc import Sequence
from functools import lru_cache

from groundswell.contract.ports.cache import Cache, CacheUnavailable, Rate
from groundswell.contract.problems import Refused
from groundswell.contract.settings import LimitsSettings


class AddressHash:
    """Turns an address into 16 bytes that say nothing about it to who has no key.

    IPv6 addresses of one /64 are one: that is what a household is given.
    """

    def __init__(self, key: bytes) -> None:
        keyed = hashlib.blake2s(key=key[:32], digest_size=16, person=b"gs-addr")

        @lru_cache(maxsize=16_384)
        def of(address: str) -> bytes:
            state = keyed.copy()
            state.update(_network(address).encode("utf-8", "replace"))
            return state.digest()

        self.of = of


def _network(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((int(parsed), 64), strict=False))
    return str(parsed)


class Limits:
    """The limits of `limits.*`. Where the cache is away those of `fallback` hold, if any.

    What one limit refuses takes nothing from the other: who is too fast alone does not use up
    what others behind the same address may write.
    """

    def __init__(
        self, settings: LimitsSettings, cache: Cache, *, fallback: Cache | None = None
    ) -> None:
        self._enabled = settings.enabled
        self._cache = cache
        self._fallback = fallback
        self._user_comments = Rate(settings.user_comments, settings.user_comments_burst)
        self._address_comments = Rate(settings.address_comments, settings.address_comments_burst)
        self._user_reactions = Rate(settings.user_reactions, settings.user_reactions_burst)
        self._address_reactions = Rate(settings.address_reactions, settings.address_reactions_burst)

    async def take_comment(self, video_id: str, user_id: str, address_hash: bytes) -> None:
        """Take one comment of this user on this video; raises `Refused` `rate_limited`."""
        if self._enabled:
            user, address = f"cu:{video_id}/{user_id}", f"ca:{address_hash.hex()}"
            await self._take([(user, self._user_comments), (address, self._address_comments)])

    async def take_reaction(self, user_id: str, address_hash: bytes) -> None:
        """Take one reaction or heart of this user; raises `Refused` `rate_limited`."""
        if self._enabled:
            user, address = f"ru:{user_id}", f"ra:{address_hash.hex()}"
            await self._take([(user, self._user_reactions), (address, self._address_reactions)])

    async def _take(self, limits: Sequence[tuple[str, Rate]]) -> None:
        try:
            wait = await self._cache.take_all(limits)
        except CacheUnavailable:
            if self._fallback is None:
                return
            wait = await self._fallback.take_all(limits)
        if wait > 0:
            raise Refused("rate_limited", retry_after=wait)
