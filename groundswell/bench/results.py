"""The one format of results: a JSON object a file, written here and read here.

| key | what it is |
|---|---|
| `format` | 1. Files from before formats had numbers have no such key, and are read too. |
| `scenario` | what was measured: the name of the command |
| `command` | the command line that measures it again |
| `complete` | `false` where the run was cut: the rows are those that it had until then |
| `reason` | why it was cut, else `null` |
| `machine` | time (UTC), cpu, cores, memory_gib, kernel, load_average, python, versions, commit |
| `settings` | what the command was told: rates, viewers, seconds and so on |
| `rows` | the table. Units are in the names of columns; `null` was not measured. |
| `summary` | where legs have several rounds, an object for each leg: what tells it from others, |
|  | and for each figure `median`, `low`, `high` and `rounds` |
| `tables` | of `plane`: the rows of each scenario, by its name |
| `cut` | of `plane`: which of these scenarios are not complete, and why |
| `skipped` | servers that were asked for and not measured, and why |
| `details` | what is behind the rows: counts and latencies as the clients said them |

A commit with `+` had changed files. Two files may be compared when machine, scenario and settings
are the same. A new key leaves the number as it is; what changes a key's meaning adds one to it.
"""

import json
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from groundswell.bench import rounds
from groundswell.bench.report import Row

FORMAT = 1
_MACHINE = ("cpu", "cores", "memory_gib", "kernel")  # what tells one machine from another


class ResultUnusable(Exception):
    """A file is no result, or of a format that is not known here; the text says which."""


class Result(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    """One file. The module's docstring says what the keys are."""

    scenario: str
    machine: dict[str, Any]
    settings: dict[str, Any]
    rows: list[dict[str, Any]]
    details: list[dict[str, Any]] = []
    format: int = 0
    command: str | None = None
    complete: bool = True
    reason: str | None = None
    summary: list[dict[str, Any]] = []
    tables: dict[str, list[dict[str, Any]]] = {}
    cut: dict[str, str] = {}
    skipped: dict[str, str] = {}

    def hardware(self) -> dict[str, Any]:
        """Return what tells its machine from others."""
        return {name: self.machine.get(name) for name in _MACHINE}


def save(
    folder: Path,
    scenario: str,
    *,
    machine: Mapping[str, object],
    settings: Mapping[str, object],
    rows: Sequence[Row],
    details: Sequence[Row],
    tables: Mapping[str, Sequence[Row]] | None = None,
    cut: Mapping[str, str] | None = None,
    skipped: Mapping[str, str] | None = None,
    command: str | None = None,
    reason: str | None = None,
) -> Path:
    """Write a result and return its path. `reason` says why it is not complete.

    Raises:
        OSError: it cannot be written; there is then no half of it.
    """
    result = {
        "format": FORMAT,
        "scenario": scenario,
        "command": command,
        "complete": reason is None,
        "reason": reason,
        "machine": machine,
        "settings": settings,
        "rows": rows,
        "summary": rounds.summary(rows),
        "tables": tables or {},
        "cut": cut or {},
        "skipped": skipped or {},
        "details": details,
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = _free(folder, f"{scenario}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}")
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        partial.write_bytes(msgspec.json.format(msgspec.json.encode(result)) + b"\n")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def _free(folder: Path, name: str) -> Path:
    path, number = folder / f"{name}.json", 1
    while path.exists():
        number += 1
        path = folder / f"{name}-{number}.json"
    return path


def load(path: Path) -> Result:
    """Read one file.

    Raises:
        ResultUnusable: it is not a result that can be read here.
    """
    try:
        result = msgspec.json.decode(path.read_bytes(), type=Result)
    except OSError as error:
        raise ResultUnusable(f"{path} cannot be read: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ResultUnusable(f"{path} is not a result of the bench: {error}") from error
    if result.format > FORMAT:
        raise ResultUnusable(
            f"{path} has format {result.format}, and this is groundswell with format {FORMAT}: "
            "read it with a newer one"
        )
    return result


def load_all(paths: Iterable[Path]) -> list[Result]:
    """Read files, and all `*.json` of folders, in the order of their names.

    Raises:
        ResultUnusable: one is not a result, or there is none at all.
    """
    files: list[Path] = []
    for path in paths:
        files += sorted(path.glob("*.json")) if path.is_dir() else [path]
    if not files:
        raise ResultUnusable(f"there is no *.json in {', '.join(map(str, paths))}")
    return [load(path) for path in files]


def expanded(result: Result) -> list[Result]:
    """Return a result and those of the scenarios in it, each as if it were measured alone."""
    inner = [
        msgspec.structs.replace(
            result,
            scenario=name,
            rows=rows,
            complete=name not in result.cut,
            reason=result.cut.get(name),
            tables={},
            skipped={},
            details=[one for one in result.details if one.get("scenario") == name],
        )
        for name, rows in result.tables.items()
    ]
    return [result, *inner]


class Pool(msgspec.Struct, frozen=True, kw_only=True):
    """Results that are rounds of one: the same scenario, commit, machine and settings."""

    results: list[Result]

    @property
    def first(self) -> Result:
        """Tells scenario, commit, machine and settings."""
        return self.results[0]

    @property
    def newest(self) -> str:
        """When its last result was measured, as ISO 8601."""
        return max(str(result.machine.get("time", "")) for result in self.results)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Return the rows of all."""
        return [row for result in self.results for row in result.rows]

    @property
    def skipped(self) -> dict[str, str]:
        """Return which servers were not measured in any of them, and why."""
        measured = {row.get("server") for row in self.rows}
        found = {name: why for result in self.results for name, why in result.skipped.items()}
        return {name: why for name, why in found.items() if name not in measured}

    @property
    def reasons(self) -> list[str]:
        """Return why those that are not complete were cut."""
        return [result.reason or "not told" for result in self.results if not result.complete]


def pooled(results: Iterable[Result]) -> list[Pool]:
    """Put results that are rounds of one together; scenarios in `plane` are results too."""
    pools: dict[str, list[Result]] = {}
    for result in results:
        for one in expanded(result):
            about = [one.scenario, one.machine.get("commit"), one.hardware(), settings_of(one)]
            pools.setdefault(json.dumps(about, sort_keys=True, default=str), []).append(one)
    return [Pool(results=members) for members in pools.values()]


def settings_of(result: Result) -> dict[str, Any]:
    """Return the settings without how often it was measured, and without who was."""
    return {
        name: value for name, value in result.settings.items() if name not in ("rounds", "servers")
    }
