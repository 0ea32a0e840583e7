"""`groundswell serve`: run the server."""

import click

from groundswell.cli.sources import Sources, with_sources


@click.command("serve")
@with_sources(
    "server.host",
    "server.port",
    "server.internal_port",
    "server.data",
    "server.roles",
    "server.workers",
    "demo.enabled",
)
def command(*, sources: Sources) -> int:
    """Run the server until it is told to stop: all roles, or those of --roles.

    `groundswell ingest`, `broker` and `persist` run one role each.
    """
    settings = sources.settings()
    from groundswell.cli.running import run

    return run(settings)
