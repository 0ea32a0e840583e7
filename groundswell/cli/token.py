"""`groundswell token`: make and check tokens."""

import dataclasses
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from groundswell.cli.failures import USAGE, CommandFailed
from groundswell.cli.sources import Sources, with_sources
from groundswell.contract.claims import Role
from groundswell.contract.clock import SystemClock
from groundswell.contract.names import is_user_id, is_video_id
from groundswell.contract.problems import Refused
from groundswell.contract.settings import AuthSettings, Settings

if TYPE_CHECKING:
    from groundswell.ingest.keys import TokenKey

_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_LIFETIME_MAX_S = 3650 * 86_400  # nobody knows any more who has a token that is older
_DURATION = re.compile(r"([1-9][0-9]{0,8})([smhd])")


@click.group("token")
def command() -> None:
    """Make and check tokens."""


@command.command("create")
@click.option("--user", required=True, help="Who the token is for: its `sub`.")
@click.option(
    "--role",
    type=click.Choice([role.value for role in Role]),
    default=Role.VIEWER.value,
    show_default=True,
    help="What its bearer may do.",
)
@click.option(
    "--ttl", default="24h", show_default=True, help="How long it is valid: 90s, 15m, 24h, 7d."
)
@click.option("--video", help="The only video that it is valid for; without: all.")
@with_sources("server.data")
def create(*, sources: Sources, user: str, role: str, ttl: str, video: str | None) -> int:
    """Print a token, and nothing else, on standard output.

    It is signed with auth.secret, the first HS256 key of auth.keys, or where neither is set with
    the development secret of the data folder.
    """
    import jwt

    if not is_user_id(user):
        raise click.BadParameter(
            f"{user!r} is not a user id: 1-64 of A-Z a-z 0-9 _ . @ : | + = ~ -", param_hint="--user"
        )
    if video is not None and not is_video_id(video):
        raise click.BadParameter(
            f"{video!r} is not a video id: 1-64 of A-Z a-z 0-9 _ . -", param_hint="--video"
        )
    lifetime_s = _seconds(ttl)
    auth = _auth(sources.settings())
    keys = _keys(auth)
    signing = [(key.kid, key.material) for key in keys if isinstance(key.material, bytes)]
    if not signing:
        raise CommandFailed(
            "auth.keys has public keys only, which cannot sign",
            hint="make the token where the private key is, or set auth.secret",
            status=USAGE,
        )
    kid, secret = signing[0]
    now_s = SystemClock().wall_ms() // 1000
    claims = {"sub": user, "role": role, "aud": auth.audience, "iss": auth.issuer}
    if video is not None:
        claims["video"] = video
    times = {"iat": now_s, "exp": now_s + lifetime_s}
    headers = {} if kid is None else {"kid": kid}
    click.echo(jwt.encode({**claims, **times}, secret, algorithm="HS256", headers=headers))
    return 0


@command.command("check")
@click.argument("token")
@with_sources("server.data")
def check(*, sources: Sources, token: str) -> int:
    """Say who a token is for as the server would see it, or why it is refused.

    `-` reads it from standard input, where no list of processes shows it.
    """
    from groundswell.ingest.tokens import TokenVerifier

    if token == "-":  # noqa: S105  # the usual name of standard input
        token = sys.stdin.read().strip()
    auth = _auth(sources.settings())
    verifier = TokenVerifier(
        _keys(auth),
        audience=auth.audience,
        issuer=auth.issuer,
        leeway=auth.leeway,
        clock=SystemClock(),
    )
    try:
        claims = verifier.verify(token)
    except Refused as refused:
        raise CommandFailed(f"the token is not valid here: {refused}") from None
    answer = dataclasses.asdict(claims)
    click.echo(json.dumps(answer, indent=2))
    return 0


def _auth(settings: Settings) -> AuthSettings:
    """Return the settings with the development secret where the server would use it."""
    from groundswell.secrets import development_secret

    if settings.auth.secret or settings.auth.keys:
        return settings.auth
    secret = development_secret(Path(settings.server.data), "auth.secret")
    return dataclasses.replace(settings.auth, secret=secret)


def _keys(auth: AuthSettings) -> "tuple[TokenKey, ...]":
    from groundswell.ingest.keys import BadKey, load_keys

    try:
        return load_keys(auth)
    except BadKey as error:
        raise CommandFailed(str(error), status=USAGE) from None


def _seconds(ttl: str) -> int:
    match = _DURATION.fullmatch(ttl)
    if match is None:
        raise click.BadParameter(
            f"{ttl!r} is not a duration such as 90s, 15m, 24h or 7d", param_hint="--ttl"
        )
    seconds = int(match[1]) * _UNIT_S[match[2]]
    if seconds > _LIFETIME_MAX_S:
        raise click.BadParameter(
            f"{ttl!r} is more than {_LIFETIME_MAX_S // _UNIT_S['d']}d", param_hint="--ttl"
        )
    return seconds
