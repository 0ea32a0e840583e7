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
    "demo.enabled",
)
def command(*, sources: Sources) -> int:
    """Run the server until it is told to stop."""
    settings = sources.settings()
    from groundswell.roles import serve
    from groundswell.telemetry.logging import configure

    configure(settings.telemetry)
    return serve(settings)
