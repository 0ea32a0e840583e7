"""`groundswell partition-for`: where a video's events are in the log."""

import click

from groundswell.cli.failures import USAGE, CommandFailed


@click.command("partition-for")
@click.argument("video")
@click.option(
    "--partitions", type=click.IntRange(min=1), default=64, show_default=True, help="How many."
)
def command(*, video: str, partitions: int) -> int:
    """Print the partition of a video's events."""
    from groundswell.contract.names import is_video_id
    from groundswell.contract.partition import partition_of

    if not is_video_id(video):
        raise CommandFailed(
            f"{video!r} is not a video id", hint="1-64 of A-Z a-z 0-9 _ . -", status=USAGE
        )
    click.echo(partition_of(video, partitions))
    return 0
