"""Tokens: JWTs verified against the operator's own keys, without I/O (RFC 7519, RFC 8725)."""

import hashlib
from collections.abc import Iterable
from typing import Any, Final

import jwt
from jwt.algorithms import get_default_algorithms

from groundswell.contract.claims import Claims, Role
from groundswell.contract.clock import Clock
from groundswell.contract.names import is_user_id, is_video_id
from groundswell.contract.problems import Refused
from groundswell.ingest.keys import TokenKey

TOKEN_BYTES_MAX: Final = 8 * 1024
_TIME_MAX: Final = 1 << 53  # also keeps NaN and infinity out: comparisons with them are false

# Times are judged below by our own clock; PyJWT checks signature, audience and issuer.
_OPTIONS: Final[Any] = {
    "require": ["exp", "aud", "iss", "sub"],
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_sub": False,
    "verify_jti": False,
}


class TokenVerifier:
    """Verifies tokens and remembers those that it verified. Belongs to one event loop.

    A key is found by `kid` in the operator's list only: `jku`, `x5u` and `jwk` of a token are
    never looked at. A verification takes 50-180 us, a remembered token 2 us.
    """

    def __init__(
        self,
        keys: Iterable[TokenKey],
        *,
        audience: str,
        issuer: str,
        leeway: float,
        clock: Clock,
        remembered: int = 100_000,
    ) -> None:
        self._keys = {key.kid: key for key in keys}
        self._audience = audience
        self._issuer = issuer
        self._leeway = leeway
        self._clock = clock
        self._remembered = remembered
        self._verified: dict[bytes, Claims] = {}  # digest of token -> claims, oldest first
        algorithms = get_default_algorithms()
        # RFC 8037: PyJWT takes Ed25519 and Ed448 keys for "EdDSA"; ours are Ed25519 only.
        self._prepared = {
            key.kid: algorithms[key.algorithm].prepare_key(key.material)
            for key in self._keys.values()
        }

    def verify(self, token: str) -> Claims:
        """Return what a token says; raises `Refused` `token_invalid` or `token_expired`."""
        if len(token) > TOKEN_BYTES_MAX:
            raise Refused("token_invalid", f"longer than {TOKEN_BYTES_MAX} bytes")
        try:
            digest = hashlib.blake2b(token.encode("ascii"), digest_size=16).digest()
        except UnicodeEncodeError:
            raise Refused("token_invalid", "not a JWT") from None
        claims = self._verified.get(digest)
        if claims is None:
            claims = self._verify(token)
            if self._remembered:
                while len(self._verified) >= self._remembered:
                    del self._verified[next(iter(self._verified))]
                self._verified[digest] = claims
        if self._clock.wall_ms() >= (claims.expires_s + self._leeway) * 1000:
            self._verified.pop(digest, None)
            raise Refused("token_expired")
        return claims

    def _verify(self, token: str) -> Claims:
        try:
            key = self._key_of(jwt.get_unverified_header(token))
            payload = jwt.decode(
                token,
                self._prepared[key.kid],
                algorithms=[key.algorithm],
                audience=self._audience,
                issuer=self._issuer,
                options=_OPTIONS,
            )
        except (jwt.InvalidTokenError, ValueError, TypeError, RecursionError) as error:
            # The reason helps an integrator; PyJWT's texts repeat nothing of the token but the
            # name of a claim.
            raise Refused("token_invalid", _reason(error)) from None
        return self._claims_of(payload)

    def _key_of(self, header: dict[str, Any]) -> TokenKey:
        if "crit" in header:  # RFC 7515 section 4.1.11: we understand no extension
            raise Refused("token_invalid", "unknown critical header")
        kid = header.get("kid")
        if kid is None and None not in self._keys and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        key = self._keys.get(kid) if kid is None or isinstance(kid, str) else None
        if key is None:
            raise Refused("token_invalid", "no such key")
        if header.get("alg") != key.algorithm:
            raise Refused("token_invalid", "not this key's algorithm")
        return key

    def _claims_of(self, payload: dict[str, Any]) -> Claims:
        expires = _time(payload, "exp")
        latest_start = self._clock.wall_ms() / 1000 + self._leeway
        if "nbf" in payload and _time(payload, "nbf") > latest_start:
            raise Refused("token_invalid", "not valid yet")
        user_id, video_id = payload["sub"], payload.get("video")
        if not isinstance(user_id, str) or not is_user_id(user_id):
            raise Refused("token_invalid", "sub is not a user id")
        if video_id is not None and not (isinstance(video_id, str) and is_video_id(video_id)):
            raise Refused("token_invalid", "video is not a video id")
        try:
            role = Role(payload.get("role", Role.VIEWER))
        except ValueError:
            raise Refused("token_invalid", "unknown role") from None
        return Claims(user_id=user_id, role=role, expires_s=int(expires), video_id=video_id)


def _time(payload: dict[str, Any], name: str) -> float:
    value = payload[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refused("token_invalid", f"{name} is not a time")
    if not 0 <= value < _TIME_MAX:
        raise Refused("token_invalid", f"{name} is not a time")
    return value


def _reason(error: Exception) -> str:
    match error:
        case jwt.MissingRequiredClaimError():
            return f"{error.claim} is missing"
        case jwt.InvalidAudienceError():
            return "aud is not ours"
        case jwt.InvalidIssuerError():
            return "iss is not ours"
        case jwt.InvalidSignatureError():
            return "signature does not match"
        case _:
            return "not a JWT that we can read"
