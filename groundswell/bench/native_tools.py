"""The C tools, compiled when they are first needed."""

import hashlib
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

SOURCES = Path(__file__).parent / "native"
NAMES = ("viewers", "limit", "writers", "reactors")
FLAGS = ("-O2", "-std=gnu11", "-Wall", "-Wextra")


class ToolFailed(Exception):
    """A tool could not be compiled, or did not do what it was asked; the text says why."""


@dataclass(frozen=True, slots=True)
class Tools:
    """Paths of the programs."""

    viewers: Path
    limit: Path
    writers: Path
    reactors: Path


def default_cache() -> Path:
    """Return the folder for compiled tools: `.cache/bench` of the checkout or the user's own."""
    checkout = SOURCES.parents[2]
    if (checkout / "pyproject.toml").exists():
        return checkout / ".cache" / "bench"
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "groundswell-bench"


def compile_tools(cache: Path, *, extra_flags: tuple[str, ...] = ()) -> Tools:
    """Compile what is not in `cache` yet, in a folder named after the sources and flags.

    Raises:
        ToolFailed: there is no `cc`, or it refused a source.
    """
    flags = (*FLAGS, *extra_flags)
    digest = hashlib.sha256(" ".join(flags).encode())
    for source in sorted(SOURCES.iterdir()):
        digest.update(source.read_bytes())
    folder = cache / digest.hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        if not (folder / name).exists():
            _compile(SOURCES / f"{name}.c", folder / name, flags)
    return Tools(*(folder / name for name in NAMES))


def _compile(source: Path, program: Path, flags: tuple[str, ...]) -> None:
    # Written elsewhere and renamed, so that two runs at once never see half a program.
    partial = program.with_name(f"{program.name}.{os.getpid()}")
    command = ["cc", *flags, "-o", str(partial), str(source), "-lm"]
    try:
        done = subprocess.run(  # noqa: S603 - our own sources, no shell
            command, capture_output=True, text=True, timeout=60, check=False
        )
    except FileNotFoundError as error:
        raise ToolFailed("the bench's tools are C: a C compiler called cc is needed") from error
    if done.returncode != 0:
        raise ToolFailed(f"cc refused {source.name}:\n{done.stderr}")
    partial.replace(program)
