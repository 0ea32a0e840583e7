"""Read file, environment and flags; check everything; say everything that is wrong at once."""

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from groundswell.config.consistency import inconsistencies
from groundswell.config.errors import ConfigError
from groundswell.config.options import (
    CONFIG_FILE,
    FLAGS,
    OPTIONS,
    OTHER_ENVIRONMENT,
    PREFIX,
    SECTIONS,
    Option,
    Value,
)
from groundswell.config.values import from_text, from_toml
from groundswell.contract.settings import Settings

FILE_SUFFIX = "_file"
SECRET_FILE_BYTES_MAX = 64 * 1024  # anything larger is not a secret but the wrong file


@dataclass(frozen=True, slots=True)
class Configuration:
    """Settings, and for every option that is not at its default where it was set."""

    settings: Settings
    origins: Mapping[str, str]  # option key -> "GROUNDSWELL_SERVER_PORT", "--port", ...


@dataclass(frozen=True, slots=True)
class _Written:
    """What stands in one place for one option."""

    option: Option
    origin: str
    raw: object
    in_toml: bool
    names_file: bool  # the value is the path of a file that holds the secret


def load(*, file: Path | None, environ: Mapping[str, str], flags: Mapping[str, str]) -> Settings:
    """Return the settings of a TOML file, the environment and flags (`section.name`: text).

    Raises `ConfigError` with every problem there is. Without `file`, the one that
    `GROUNDSWELL_CONFIG` names is read, if it does.
    """
    return read(file=file, environ=environ, flags=flags).settings


def read(
    *, file: Path | None, environ: Mapping[str, str], flags: Mapping[str, str]
) -> Configuration:
    """Do as `load`, and keep where each value came from."""
    problems: list[str] = []
    if file is None and environ.get(CONFIG_FILE):
        file = Path(environ[CONFIG_FILE])
    layers = (
        _file_layer(file, problems) if file is not None else [],
        _environment_layer(environ, problems),
        _flags_layer(flags, problems),
    )
    values: dict[str, Value] = {}
    origins: dict[str, str] = {}
    for layer in layers:
        seen: dict[str, str] = {}
        for written in layer:
            key = written.option.key
            if key in seen:
                problems.append(f"{seen[key]} and {written.origin}: both set {key}; keep one")
            seen[key] = written.origin
            try:
                values[key] = _value(written)
            except ValueError as error:
                problems.append(f"{written.origin}: {error}")
            origins[key] = written.origin
    if not problems:
        settings = _settings(values)
        problems += inconsistencies(settings)
        if not problems:
            return Configuration(settings, origins)
    raise ConfigError(problems)


def _value(written: _Written) -> Value:
    option, raw = written.option, written.raw
    if written.names_file:
        return _secret_of_file(option, raw)
    try:
        if written.in_toml:
            return from_toml(option, raw)
        return from_text(option, str(raw))
    except ValueError as error:
        shown = "the secret" if option.secret else f"{raw!r}"
        raise ValueError(f"{shown} {error}") from None


def _secret_of_file(option: Option, raw: object) -> Value:
    if not isinstance(raw, str) or not raw or "\0" in raw:
        raise ValueError("is not the path of a file")
    try:
        with Path(raw).open("rb") as secret_file:
            content = secret_file.read(SECRET_FILE_BYTES_MAX + 1)
        # Editors and `echo` end a file with a new line that is not part of the secret.
        text = content.decode().rstrip("\r\n")
    except OSError as error:
        raise ValueError(f"cannot read {raw!r}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{raw!r} is not UTF-8 text") from None
    if not text or len(content) > SECRET_FILE_BYTES_MAX:
        raise ValueError(f"{raw!r} holds no secret: it is {'too large' if text else 'empty'}")
    try:
        return from_text(option, text)
    except ValueError as error:
        raise ValueError(f"the secret in {raw!r} {error}") from None


def _file_layer(file: Path, problems: list[str]) -> list[_Written]:
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        problems.append(f"{file}: cannot be read: {error.strerror}")
        return []
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problems.append(f"{file}: is not TOML: {error}")
        return []
    layer: list[_Written] = []
    for section, content in document.items():
        if section not in SECTIONS or not isinstance(content, dict):
            what = "key outside a section" if not isinstance(content, dict) else "section"
            problems.append(f"{file}: unknown {what} {section!r}{_hint(section, SECTIONS)}")
            continue
        for name, raw in content.items():
            origin = f"{section}.{name} in {file}"
            _add(layer, problems, f"{section}.{name}", origin, raw, in_toml=True)
    return layer


def _environment_layer(environ: Mapping[str, str], problems: list[str]) -> list[_Written]:
    keys = {option.environment_name: option.key for option in OPTIONS.values()}
    keys |= {
        f"{name}{FILE_SUFFIX.upper()}": key + FILE_SUFFIX
        for name, key in keys.items()
        if OPTIONS[key].secret
    }
    layer: list[_Written] = []
    for name, text in sorted(environ.items()):
        if not name.startswith(PREFIX) or name in OTHER_ENVIRONMENT:
            continue
        if name in keys:
            _add(layer, problems, keys[name], name, text)
        else:
            problems.append(f"{name}: unknown environment variable{_hint(name, keys)}")
    return layer


def _flags_layer(flags: Mapping[str, str], problems: list[str]) -> list[_Written]:
    layer: list[_Written] = []
    for key, text in flags.items():
        _add(layer, problems, key, FLAGS.get(key, f"--set {key}"), text)
    return layer


def _add(
    layer: list[_Written],
    problems: list[str],
    key: str,
    origin: str,
    raw: object,
    *,
    in_toml: bool = False,
) -> None:
    if key in OPTIONS:
        layer.append(_Written(OPTIONS[key], origin, raw, in_toml, names_file=False))
        return
    option = OPTIONS.get(key.removesuffix(FILE_SUFFIX))
    if key.endswith(FILE_SUFFIX) and option is not None and option.secret:
        layer.append(_Written(option, origin, raw, in_toml, names_file=True))
    else:
        problems.append(f"{origin}: unknown option{_hint(key, OPTIONS)}")


def _hint(name: str, known: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _settings(values: Mapping[str, Value]) -> Settings:
    return Settings(
        **{
            section: kind(
                **{
                    option.name: values[option.key]
                    for option in OPTIONS.values()
                    if option.section == section and option.key in values
                }
            )
            for section, kind in SECTIONS.items()
        }
    )
