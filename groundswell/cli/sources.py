"""Where a command's configuration comes from: `--config`, the environment, `--set` and flags."""

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import click

from groundswell.config import FLAGS, OPTIONS, Configuration, read
from groundswell.contract.settings import Settings


@dataclass(frozen=True, slots=True)
class Sources:
    """What was given; read when the command wants it."""

    file: Path | None
    flags: dict[str, str] = field(default_factory=dict)

    def having(self, key: str, value: str) -> "Sources":
        """Return the same with an option that a command decides, whatever else was given."""
        return replace(self, flags={**self.flags, key: value})

    def configuration(self) -> Configuration:
        """Return settings and origins; raises `ConfigError`."""
        return read(file=self.file, environ=os.environ, flags=self.flags)

    def settings(self) -> Settings:
        """Return the settings; raises `ConfigError`."""
        return self.configuration().settings


def with_sources(*flags: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command `--config`, `--set` and the flags of these options, as argument `sources`."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        def assembled(config: Path | None, assignments: tuple[str, ...], **arguments: Any) -> Any:
            given = dict(map(_assignment, assignments))
            for key in flags:
                value = arguments.pop(_parameter(key))
                if value is True:
                    given[key] = "true"
                elif value is not None and value is not False:
                    given[key] = value
            return function(sources=Sources(config, given), **arguments)

        command: Callable[..., Any] = functools.wraps(function)(assembled)
        for key in reversed(flags):
            command = _flag(key)(command)
        command = click.option(
            "--set",
            "assignments",
            multiple=True,
            metavar="SECTION.NAME=VALUE",
            help="Set any option; may be repeated.",
        )(command)
        return click.option(
            "--config", type=click.Path(path_type=Path), metavar="FILE", help="TOML file to read."
        )(command)

    return decorate


def _flag(key: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    option = OPTIONS[key]
    name = FLAGS[key]
    if option.kind is bool:
        return click.option(name, _parameter(key), is_flag=True, help=option.help)
    metavar = {int: "NUMBER", tuple: "NAME,..."}.get(option.kind, "TEXT")
    return click.option(name, _parameter(key), metavar=metavar, help=option.help)


def _parameter(key: str) -> str:
    return key.replace(".", "_")


def _assignment(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or "." not in key:
        raise click.UsageError(f"--set {text!r} is not of the form section.name=value")
    return key.strip(), value
