"""The options that several commands of the bench have."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

Option = Callable[[Any], Any]

out_option = click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("bench-results"),
    show_default=True,
    help="Folder of the JSON file.",
)
plane_option = click.option(
    "--plane",
    type=click.Choice(["native", "asyncio"]),
    default="native",
    show_default=True,
    help="What moves groundswell's frames to sockets.",
)
rounds_option = click.option(
    "--rounds", type=click.IntRange(1, 10), default=2, show_default=True, help="Times of each leg."
)
scale_option = click.option(
    "--scale",
    type=click.FloatRange(0.001, 1),
    default=1,
    show_default=True,
    help="Of the viewers and sockets; below 1 it is a quick look.",
)


def seconds_option(default: float) -> Option:
    """Return the option for how long each measurement takes."""
    return click.option(
        "--seconds",
        type=click.FloatRange(0.1, 280),
        default=default,
        show_default=True,
        help="Time of each measurement.",
    )
