"""Tokens of made-up users, for servers started with this run's secret."""

import secrets
import time
from pathlib import Path

import jwt

AUDIENCE = ISSUER = "groundswell"
LIFETIME = 3600  # seconds: longer than any run


def make_secret() -> str:
    """Return a secret of 48 characters."""
    return secrets.token_hex(24)


def write_tokens(path: Path, *, secret: str, users: int) -> None:
    """Write `user token` lines, as the writers tool reads them."""
    expires = int(time.time()) + LIFETIME
    with path.open("w") as file:
        for number in range(users):
            user = f"writer-{number}"
            claims = {"sub": user, "aud": AUDIENCE, "iss": ISSUER, "exp": expires}
            file.write(f"{user} {jwt.encode(claims, secret, algorithm='HS256')}\n")
