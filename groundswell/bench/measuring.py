"""How every command of the bench tells and keeps its results, also where it is cut."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import click
from click.core import ParameterSource

from groundswell.bench import machine, results, rounds
from groundswell.bench.journal import Journal
from groundswell.bench.native_tools import ToolFailed
from groundswell.bench.progress import Progress
from groundswell.bench.report import Row, cell
from groundswell.bench.terminal import show


@dataclass(slots=True)
class Measuring:
    """A run of a command. Its rows are the journal's where `rows` is not set.

    `tables` and `cut` are those of a result with several scenarios (`results.py`).

    A failure that is put into `failures` does not end the run, but it is not complete.
    """

    journal: Journal
    rows: Sequence[Row] | None = None
    details: list[Row] | None = None
    tables: dict[str, Sequence[Row]] = field(default_factory=dict)
    cut: dict[str, str] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)


@contextmanager
def measuring(scenario: str, out: Path, settings: Mapping[str, object]) -> Iterator[Measuring]:
    """Show progress, then print the tables and write the result, also when the block is cut.

    Raises:
        click.ClickException: something failed or was interrupted; what was measured is kept.
    """
    about = machine.describe()
    with Progress(scenario) as progress:
        run = Measuring(Journal(progress))
        bug: BaseException | None = None
        try:
            yield run
        except (ToolFailed, OSError) as error:
            run.failures.append(_at(run.journal.leg, str(error)))
        except (KeyboardInterrupt, SystemExit):  # SystemExit: the group's answer to SIGTERM
            run.failures.append(_at(run.journal.leg, "interrupted"))
        except Exception as error:  # noqa: BLE001  # raised again when the rows are safe
            run.failures.append(_at(run.journal.leg, f"{type(error).__name__}: {error}"))
            bug = error
    rows = run.journal.rows if run.rows is None else run.rows
    details = run.journal.details if run.details is None else run.details
    skipped = run.journal.skipped
    lines = [f"{server} is skipped: {why}" for server, why in skipped.items()]
    if not rows and not run.failures:
        run.failures += lines
    reason = "; ".join(run.failures) or None
    for title, each in run.tables.items():
        show(each, title=title)
    if rows:
        publish(
            scenario,
            out,
            about,
            settings,
            rows,
            details,
            tables=run.tables,
            cut=run.cut,
            skipped=skipped,
            reason=reason,
        )
        for line in lines:
            click.echo(line)
    if bug:
        raise bug
    if reason:
        raise click.ClickException(reason if not rows else f"not complete: {reason}")


def _at(leg: str, what: str) -> str:
    return f"{leg}: {what}" if leg else what


def publish(
    scenario: str,
    out: Path,
    about: Mapping[str, object],
    settings: Mapping[str, object],
    rows: Sequence[Row],
    details: Sequence[Row],
    *,
    tables: Mapping[str, Sequence[Row]] | None = None,
    cut: Mapping[str, str] | None = None,
    skipped: Mapping[str, str] | None = None,
    reason: str | None = None,
) -> None:
    """Print the table and write the JSON file; `about` is `machine.describe()` before the run.

    `reason` says why the rows are not all of them.
    """
    click.echo(f"{about['time']} {about['cpu']}, {about['cores']} cores, commit {about['commit']}")
    show(rows)
    if found := spread_rows(rows):
        show(found, title="median (lowest - highest) of the rounds")
    if any("others" in str(row.get("bounded by")) for row in rows):
        click.echo("others filled a core meanwhile: run it again on a quiet machine")
    path = results.save(
        out,
        scenario,
        machine=about,
        settings=settings,
        rows=rows,
        details=details,
        tables=tables,
        cut=cut,
        skipped=skipped,
        command=command_line(),
        reason=reason,
    )
    click.echo(f"{'written' if reason is None else 'what there is was written'} to {path}")


def spread_rows(rows: Sequence[Row]) -> list[Row]:
    """Return a row for each leg with the medians of its rounds; empty where none has several."""
    legs = rounds.legs(rows)
    if all(leg.rounds < 2 for leg in legs):
        return []
    columns = [c for c in legs[0].figures if rounds.better(c)]
    return [
        {
            **leg.keys,
            "rounds": leg.rounds,
            **{c: _spread(leg.figures[c]) if c in leg.figures else None for c in columns},
        }
        for leg in legs
    ]


def _spread(figure: rounds.Figure) -> str:
    return f"{cell(figure.median)} ({cell(figure.low)} - {cell(figure.high)})"


def command_line() -> str | None:
    """Return the command that is being run with the options that it was given, but `--out`."""
    context = click.get_current_context(silent=True)
    if context is None:
        return None
    chosen = context.parent.params.get("program") if context.parent else None
    words = ["groundswell", "bench", *(["--program", str(chosen)] if chosen else [])]
    words.append(str(context.info_name))
    for parameter in context.command.params:
        name = str(parameter.name)
        given = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if given and name != "out":
            value = context.params[name]
            parts = value if isinstance(value, list | tuple) else [value]
            words += [
                parameter.opts[0],
                ",".join(f"{p:g}" if isinstance(p, float) else str(p) for p in parts),
            ]
    return shlex.join(words)
