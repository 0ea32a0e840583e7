"""Keys that tokens are verified with. Each key has exactly one algorithm.

Because the algorithm belongs to the key and never to the token, a public key cannot be used as an
HMAC secret, and `alg: none` names no key at all (RFC 8725 section 3.1).
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from groundswell.contract.settings import AuthSettings

ALGORITHMS: Final = ("HS256", "RS256", "ES256", "EdDSA")
SECRET_BYTES_MIN: Final = 32  # RFC 7518 section 3.2: at least the size of the hash
RSA_BITS_MIN: Final = 2048  # RFC 7518 section 3.3

PublicKey = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey


class BadKey(ValueError):
    """A key of the operator cannot be used; the text says which and why, never the key."""


@dataclass(frozen=True, slots=True)
class TokenKey:
    """A key, the name that tokens know it by (None: tokens without `kid`), and its algorithm."""

    kid: str | None
    algorithm: str
    material: bytes | PublicKey

    def __repr__(self) -> str:
        return f"TokenKey(kid={self.kid!r}, algorithm={self.algorithm!r})"


def load_keys(settings: AuthSettings) -> tuple[TokenKey, ...]:
    """Read the secret and the key file of the settings; raises `BadKey`."""
    keys = []
    if settings.secret:
        keys.append(secret_key(settings.secret.encode(), kid=None, where="auth.secret"))
    if settings.keys:
        keys.extend(_load_file(Path(settings.keys)))
    if not keys:
        raise BadKey("no token key: set auth.secret or auth.keys")
    seen: set[str | None] = set()
    for key in keys:
        if key.kid in seen:
            raise BadKey(f"two keys have the kid {key.kid!r}")
        seen.add(key.kid)
    return tuple(keys)


def secret_key(secret: bytes, *, kid: str | None, where: str) -> TokenKey:
    """Return an HS256 key; raises `BadKey` for a weak secret."""
    if len(secret) < SECRET_BYTES_MIN:
        raise BadKey(f"{where}: secret has {len(secret)} bytes, needs {SECRET_BYTES_MIN}")
    if b"-----BEGIN" in secret:
        raise BadKey(f"{where}: this is a PEM file, not a secret; use public_key_file")
    return TokenKey(kid, "HS256", secret)


def public_key(pem: bytes, *, algorithm: str, kid: str | None, where: str) -> TokenKey:
    """Return an RS256, ES256 or EdDSA key; raises `BadKey` if the PEM is of another kind."""
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadKey(f"{where}: not a public key in PEM form") from error
    match algorithm, key:
        case "RS256", RSAPublicKey():
            if key.key_size < RSA_BITS_MIN:
                raise BadKey(f"{where}: RSA key has {key.key_size} bits, needs {RSA_BITS_MIN}")
            return TokenKey(kid, algorithm, key)
        case "ES256", EllipticCurvePublicKey():
            if not isinstance(key.curve, SECP256R1):
                raise BadKey(f"{where}: ES256 needs a key on P-256, not on {key.curve.name}")
            return TokenKey(kid, algorithm, key)
        case "EdDSA", Ed25519PublicKey():
            return TokenKey(kid, algorithm, key)
        case _:
            raise BadKey(f"{where}: the key is not one for {algorithm}")


def _load_file(path: Path) -> list[TokenKey]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadKey(f"auth.keys: {path}: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadKey(f"auth.keys: {path}: {error}") from error
    tables = document.pop("key", None)
    if document or not isinstance(tables, list) or not tables:
        raise BadKey(f"auth.keys: {path}: needs [[key]] tables and nothing else")
    return [_load_table(table, path, number) for number, table in enumerate(tables, start=1)]


def _load_table(table: dict[str, Any], path: Path, number: int) -> TokenKey:
    where = f"auth.keys: {path}: key {number}"
    if unknown := set(table) - {"kid", "algorithm", "secret", "secret_file", "public_key_file"}:
        raise BadKey(f"{where}: unknown field {min(unknown)!r}")
    if not all(isinstance(value, str) and value for value in table.values()):
        raise BadKey(f"{where}: every field is a text that is not empty")
    algorithm, kid = table.get("algorithm"), table.get("kid")
    if algorithm not in ALGORITHMS:
        raise BadKey(f"{where}: algorithm must be one of {', '.join(ALGORITHMS)}")
    sources = [name for name in ("secret", "secret_file", "public_key_file") if name in table]
    wanted = ("secret", "secret_file") if algorithm == "HS256" else ("public_key_file",)
    if len(sources) != 1 or sources[0] not in wanted:
        raise BadKey(f"{where}: {algorithm} needs exactly one of: {', '.join(wanted)}")
    if "secret" in table:
        return secret_key(table["secret"].encode(), kid=kid, where=where)
    file = path.parent / table[sources[0]]
    try:
        content = file.read_bytes()
    except OSError as error:
        raise BadKey(f"{where}: {file}: {error.strerror}") from error
    if algorithm == "HS256":
        return secret_key(content.strip(), kid=kid, where=where)
    return public_key(content, algorithm=algorithm, kid=kid, where=where)
