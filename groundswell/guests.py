"""Tokens for visitors of a demo, who sign in with nothing but a name."""

import re
import secrets

import jwt

from groundswell.contract.clock import Clock
from groundswell.server.pages import Guest

GUEST_SECONDS = 12 * 3600
_UNFIT = re.compile(r"[^A-Za-z0-9_.-]+")


class GuestSigner:
    """Signs guests' tokens with the server's own key; only demo mode makes one."""

    def __init__(
        self, secret: bytes, *, kid: str | None, audience: str, issuer: str, clock: Clock
    ) -> None:
        self._secret = secret
        self._kid = kid
        self._audience = audience
        self._issuer = issuer
        self._clock = clock

    def sign(self, name: str | None) -> Guest:
        """Return a session; two guests of one name get different user ids."""
        plain = _UNFIT.sub("-", name or "").strip("-.") or "guest"
        user_id = f"{plain[:32]}.{secrets.token_hex(2)}"
        claims = {
            "sub": user_id,
            "role": "viewer",
            "aud": self._audience,
            "iss": self._issuer,
            "exp": self._clock.wall_ms() // 1000 + GUEST_SECONDS,
        }
        headers = {} if self._kid is None else {"kid": self._kid}
        token = jwt.encode(claims, self._secret, algorithm="HS256", headers=headers)
        return Guest(token=token, user_id=user_id, expires_in=GUEST_SECONDS)
