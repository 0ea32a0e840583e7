"""`groundswell role`: who may moderate."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from groundswell.cli.sources import Sources, with_sources
from groundswell.contract.claims import Role
from groundswell.contract.names import is_user_id, is_video_id

if TYPE_CHECKING:
    from groundswell.accounts import SqlAccounts

# Everybody is a viewer; there is nothing to grant.
_GRANTED = [role.value for role in Role if role is not Role.VIEWER]


@click.group("role")
def command() -> None:
    """Grant, revoke and list roles.

    Where accounts.url is empty the server must not run meanwhile: its file has one user at a time.
    """


def _of_a_user(function: Callable[..., Any]) -> Callable[..., Any]:
    function = with_sources("server.data")(function)
    function = click.option("--video", help="The only video that it is for; without: all.")(
        function
    )
    function = click.argument("role", type=click.Choice(_GRANTED))(function)
    return click.argument("user")(function)


@command.command("grant")
@_of_a_user
def grant(*, sources: Sources, user: str, role: str, video: str | None) -> int:
    """Give a user a role, whatever the role in the user's token."""
    _change(sources, "grant", user=user, role=Role(role), video=video)
    click.echo(f"{user} is {role} on {video or 'all videos'}")
    return 0


@command.command("revoke")
@_of_a_user
def revoke(*, sources: Sources, user: str, role: str, video: str | None) -> int:
    """Take a role back that was granted; tokens that carry it keep it until they expire."""
    _change(sources, "revoke", user=user, role=Role(role), video=video)
    click.echo(f"{user} is no longer {role} on {video or 'all videos'} by a grant")
    return 0


@command.command("list")
@with_sources("server.data")
def listed(*, sources: Sources) -> int:
    """Print what was granted: user, role and video (* for all), with a tab between them."""
    from groundswell.cli.accounts import with_accounts

    for user, role, video in with_accounts(
        sources.settings(), lambda accounts: accounts.granted_roles()
    ):
        click.echo(f"{user}\t{role.value}\t{video or '*'}")
    return 0


def _change(sources: Sources, verb: str, *, user: str, role: Role, video: str | None) -> None:
    from groundswell.cli.accounts import console_user, now_ms, with_accounts
    from groundswell.contract.ports.accounts import AuditEntry

    if not is_user_id(user):
        raise click.BadParameter(
            f"{user!r} is not a user id: 1-64 of A-Z a-z 0-9 _ . @ : | + = ~ -", param_hint="USER"
        )
    if video is not None and not is_video_id(video):
        raise click.BadParameter(
            f"{video!r} is not a video id: 1-64 of A-Z a-z 0-9 _ . -", param_hint="--video"
        )

    async def work(accounts: "SqlAccounts") -> None:
        change = accounts.grant_role if verb == "grant" else accounts.revoke_role
        await change(user, role, video_id=video)
        await accounts.append_audit(
            AuditEntry(
                time_ms=now_ms(),
                actor=console_user(),
                action=f"role.{verb}",
                target=user,
                video_id=video,
                detail=role.value,
            )
        )

    with_accounts(sources.settings(), work)
