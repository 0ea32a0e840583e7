"""`groundswell config`: look at, check and document the options."""

import click

from groundswell.cli.sources import Sources, with_sources


@click.group("config")
def command() -> None:
    """Look at, check and document the options."""


@command.command("show")
@with_sources("server.data")
def show(*, sources: Sources) -> int:
    """Print what is in force and where it was set; secrets are masked."""
    from groundswell import config

    click.echo(config.show(sources.configuration()), nl=False)
    return 0


@command.command("check")
@with_sources("server.data")
def check(*, sources: Sources) -> int:
    """Report every mistake at once; exit status 2 if there is one."""
    changed = len(sources.configuration().origins)
    click.echo(f"ok: {changed} option{'' if changed == 1 else 's'} set, all others at default")
    return 0


@command.command("docs")
def docs() -> int:
    """Print docs/settings.md."""
    from groundswell import config

    click.echo(config.docs(), nl=False)
    return 0


@command.command("init")
def init() -> int:
    """Print a TOML file with every option at its default, commented out."""
    from groundswell import config

    click.echo(config.init(), nl=False)
    return 0
