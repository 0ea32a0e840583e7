"""`groundswell migrate`: bring the accounts database to this program's schema."""

from pathlib import Path

import click

from groundswell.cli.failures import CommandFailed
from groundswell.cli.sources import Sources, with_sources


@click.command("migrate")
@with_sources("server.data")
def command(*, sources: Sources) -> int:
    """Make the data folder with its secrets, and bring the accounts to this program's schema."""
    import asyncio

    from groundswell.accounts import migrate, sqlite_url
    from groundswell.accounts.engine import FILE_NAME
    from groundswell.secrets import development_secret

    settings = sources.settings()
    data = Path(settings.server.data)
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise CommandFailed(
            f"cannot make the data folder {str(data)!r}: {error.strerror}", hint="see --data"
        ) from None
    if not settings.ids.secret:
        development_secret(data, "ids.secret")
    if not settings.auth.secret and not settings.auth.keys:
        development_secret(data, "auth.secret")
    asyncio.run(migrate(sqlite_url(data / FILE_NAME)))
    click.echo(f"{data / FILE_NAME} is current")
    return 0
