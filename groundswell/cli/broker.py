"""`groundswell broker`: deliver a video's comments to those who watch it."""

import click

from groundswell.cli.sources import Sources, with_sources


@click.command("broker")
@with_sources(
    "server.host",
    "server.port",
    "server.internal_port",
    "server.data",
    "server.workers",
)
def command(*, sources: Sources) -> int:
    """Deliver comments to those who watch.

    The same as `groundswell serve --roles broker`. It reads the log, answers reads, serves the
    viewer page, and takes what viewers write through their streams. Run any number; a load
    balancer that sends a video always to the same one saves memory.
    """
    settings = sources.having("server.roles", "broker").settings()
    from groundswell.cli.running import run

    return run(settings)
