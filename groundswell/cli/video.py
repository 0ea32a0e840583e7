"""`groundswell video`: the videos that are registered."""

from typing import TYPE_CHECKING

import click

from groundswell.cli.sources import Sources, with_sources
from groundswell.contract.clock import rfc3339
from groundswell.contract.names import is_video_id

if TYPE_CHECKING:
    from groundswell.accounts import SqlAccounts

_TITLE_MAX = 500  # characters
_PAGE = 500


@click.group("video")
def command() -> None:
    """Register and list videos.

    Where accounts.url is empty the server must not run meanwhile: its file has one user at a time.
    """


@command.command("register")
@click.argument("video")
@click.option("--title", default="", help="What people call it; without: its id.")
@with_sources("server.data")
def register(*, sources: Sources, video: str, title: str) -> int:
    """Register a video; again: its first title stays."""
    from groundswell.cli.accounts import now_ms, with_accounts

    if not is_video_id(video):
        raise click.BadParameter(
            f"{video!r} is not a video id: 1-64 of A-Z a-z 0-9 _ . -", param_hint="VIDEO"
        )
    if len(title) > _TITLE_MAX or "\0" in title:
        raise click.BadParameter(
            f"is no text of up to {_TITLE_MAX} characters", param_hint="--title"
        )
    registered = with_accounts(
        sources.settings(),
        lambda accounts: accounts.register_video(video, title or video, created_ms=now_ms()),
    )
    click.echo(f"{registered.video_id} is registered: {registered.title}")
    return 0


@command.command("list")
@with_sources("server.data")
def listed(*, sources: Sources) -> int:
    """Print registered videos: id, time of registration, title, with a tab between them."""
    from groundswell.cli.accounts import with_accounts

    async def work(accounts: "SqlAccounts") -> None:
        after = ""
        while page := await accounts.videos(after=after, limit=_PAGE):
            for video in page:
                click.echo(f"{video.video_id}\t{rfc3339(video.created_ms)}\t{video.title}")
            after = page[-1].video_id

    with_accounts(sources.settings(), work)
    return 0
