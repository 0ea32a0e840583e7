"""`groundswell doctor`: look for what would go wrong, before it does."""

import click

from groundswell.cli.failures import FAILURE
from groundswell.cli.sources import Sources, with_sources

_COLORS = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command("doctor")
@with_sources("server.host", "server.port", "server.internal_port", "server.data")
def command(*, sources: Sources) -> int:
    """Check this machine and the configuration; exit status 1 if something would fail."""
    from groundswell.cli.checks import Finding, examine
    from groundswell.config import ConfigError
    from groundswell.contract.settings import Settings

    try:
        settings = sources.settings()
        findings = [Finding("ok", "configuration", "no mistakes")]
    except ConfigError as error:
        settings = Settings()
        problems = "; ".join(error.problems)
        findings = [
            Finding("fail", "configuration", problems, "correct it; the rest is for the defaults")
        ]
    findings += examine(settings)
    for finding in findings:
        level = click.style(f"{finding.level:<4}", fg=_COLORS[finding.level])
        click.echo(f"{level}  {finding.subject}: {finding.message}")
        if finding.advice:
            click.echo(f"      -> {finding.advice}")
    return FAILURE if any(finding.level == "fail" for finding in findings) else 0
