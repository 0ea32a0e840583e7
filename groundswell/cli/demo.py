"""`groundswell demo`: a simulated crowd for a server that runs already."""

import click

from groundswell.cli.failures import USAGE, CommandFailed


@click.command("demo")
@click.option("--url", default="http://127.0.0.1:8080", show_default=True, help="The server.")
@click.option("--video", default="demo", show_default=True, help="The video to watch.")
@click.option(
    "--comments",
    type=click.FloatRange(0, 500),
    default=2.0,
    show_default=True,
    help="Comments per second.",
)
@click.option(
    "--reactions",
    type=click.FloatRange(0, 5000),
    default=6.0,
    show_default=True,
    help="Reactions and hearts per second.",
)
def command(*, url: str, video: str, comments: float, reactions: float) -> int:
    """Let a simulated crowd comment and react, until Ctrl-C.

    The server must give out guest sessions: `groundswell serve --set demo.enabled=true`.
    """
    from groundswell.contract.names import is_video_id
    from groundswell.contract.settings import TelemetrySettings
    from groundswell.demo import run
    from groundswell.telemetry.logging import configure

    if not url.startswith(("http://", "https://")):
        raise click.BadParameter(
            f"{url!r} is not an http:// or https:// address", param_hint="--url"
        )
    if not is_video_id(video):
        raise CommandFailed(
            f"{video!r} is not a video id", hint="1-64 of A-Z a-z 0-9 _ . -", status=USAGE
        )
    configure(TelemetrySettings())
    return run(url=url, video=video, comments=comments, reactions=reactions)
