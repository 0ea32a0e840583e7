"""`groundswell ingest`: accept comments and reactions over HTTP."""

import click

from groundswell.cli.sources import Sources, with_sources


@click.command("ingest")
@with_sources(
    "server.host",
    "server.port",
    "server.internal_port",
    "server.data",
    "server.workers",
)
def command(*, sources: Sources) -> int:
    """Accept comments and reactions over HTTP.

    The same as `groundswell serve --roles ingest`. They go into the log and nowhere else:
    run any number, behind any load balancer.
    """
    settings = sources.having("server.roles", "ingest").settings()
    from groundswell.cli.running import run

    return run(settings)
