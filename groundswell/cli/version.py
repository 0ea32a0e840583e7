"""`groundswell version`: what is running here."""

import platform
import sqlite3

import click

import groundswell


@click.command("version")
def command() -> int:
    """Print the versions of Groundswell, Python and SQLite."""
    click.echo(f"groundswell {groundswell.__version__}")
    click.echo(f"{platform.python_implementation()} {platform.python_version()}")
    click.echo(f"SQLite {sqlite3.sqlite_version}")
    return 0
