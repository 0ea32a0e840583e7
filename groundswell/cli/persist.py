"""`groundswell persist`: project the log into the databases."""

import click

from groundswell.cli.sources import Sources, with_sources


@click.command("persist")
@with_sources(
    "server.internal_port",
    "server.data",
    "server.workers",
)
def command(*, sources: Sources) -> int:
    """Write the log into the databases.

    The same as `groundswell serve --roles persist`. There is no public port. It writes what
    persist.projections says; any number of processes share the partitions.
    """
    settings = sources.having("server.roles", "persist").settings()
    from groundswell.cli.running import run

    return run(settings)
