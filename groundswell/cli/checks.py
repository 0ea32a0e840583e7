"""What `doctor` looks at. Each check takes what it judges and returns what it found."""

import contextlib
import importlib.util
import resource
import shutil
import socket
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from groundswell import cext
from groundswell.cli.engines import shared_engines
from groundswell.contract.clock import Clock, SystemClock, rfc3339
from groundswell.contract.settings import Settings
from groundswell.supervisor.port import has_public_port

FILES_WANTED = 65_536  # a socket a viewer: enough for what one small machine serves
FILES_LEAST = 4_096
SPACE_WANTED = 10 << 30  # bytes: days of a busy broadcast
SPACE_LEAST = 256 << 20
EARLIEST_MS = 1_767_225_600_000  # 2026-01-01: this program is no older, so no clock may be
FUTURE_MS = 60_000  # how far ahead of the clock a file may be dated; file systems round


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: how it stands, with what, and what to do about it."""

    level: Literal["ok", "warn", "fail"]
    subject: str
    message: str
    advice: str | None = None


def examine(settings: Settings) -> Iterator[Finding]:
    """Run every check."""
    data = Path(settings.server.data)
    host = settings.server.host or "127.0.0.1"
    yield sqlite(sqlite3.sqlite_version_info)
    yield open_files(*resource.getrlimit(resource.RLIMIT_NOFILE))
    yield extension(loaded=cext.EXTENSION_LOADED)
    yield event_loop(uvloop=importlib.util.find_spec("uvloop") is not None)
    if has_public_port(settings):
        yield port("server.port", host, settings.server.port)
    yield port("server.internal_port", settings.server.internal_host, settings.server.internal_port)
    yield folder(data)
    yield space(shutil.disk_usage(_existing(data)).free)
    yield from secrets(data)
    yield clock(data, SystemClock())
    yield from engines(settings)


def engines(settings: Settings) -> Iterator[Finding]:
    """Ask the engines that are shared with other processes, all at once, in bounded time."""
    for engine in shared_engines(settings):
        if engine.problem is None:
            yield Finding("ok", engine.subject, engine.found)
        else:
            level: Literal["warn", "fail"] = "fail" if engine.required else "warn"
            yield Finding(level, engine.subject, engine.problem, engine.advice)


def sqlite(version: tuple[int, int, int]) -> Finding:
    """Judge the version by the WAL-reset bug (sqlite.org/wal.html#walresetbug)."""
    text = ".".join(map(str, version))
    backported = version[:2] in {(3, 44), (3, 50)} and version >= (
        3,
        version[1],
        _BACKPORT[version[1]],
    )
    if version >= (3, 51, 3) or backported:
        return Finding("ok", "SQLite", f"{text}, without the WAL-reset bug")
    if version < (3, 35, 0):
        return Finding("fail", "SQLite", f"{text} is too old", "3.35 or later is needed")
    return Finding(
        "ok",
        "SQLite",
        f"{text} has the WAL-reset bug (3.7.0 to 3.51.2), which needs two connections that write "
        "or checkpoint at once; each of our files has a single writer, so it cannot happen",
        "do not write to the files in the data folder with other programs while the server runs",
    )


_BACKPORT = {44: 6, 50: 7}  # fixed in 3.44.6 and 3.50.7


def open_files(soft: int, hard: int) -> Finding:
    """Judge the limit of open files: every viewer is one."""
    if soft == resource.RLIM_INFINITY or soft >= FILES_WANTED:
        return Finding("ok", "open files", "unlimited" if soft < 0 else f"at most {soft}")
    level: Literal["warn", "fail"] = "warn" if soft >= FILES_LEAST else "fail"
    # Whoever starts the server may raise its soft limit up to the hard one.
    if hard == resource.RLIM_INFINITY or hard >= FILES_WANTED:
        level = "warn"
    return Finding(
        level,
        "open files",
        f"at most {soft}, and every viewer is one",
        f"ulimit -n {FILES_WANTED}, or LimitNOFILE={FILES_WANTED} in the systemd unit",
    )


def extension(*, loaded: bool) -> Finding:
    """Tell whether the native code is used."""
    if loaded:
        return Finding("ok", "native code", "loaded")
    return Finding(
        "warn",
        "native code",
        "not loaded; the same in Python serves fewer viewers",
        "unset GROUNDSWELL_PURE, or install a wheel for this platform or a C compiler",
    )


def event_loop(*, uvloop: bool) -> Finding:
    """Tell whether uvloop can be used."""
    if uvloop:
        return Finding("ok", "event loop", "uvloop")
    return Finding("warn", "event loop", "asyncio's own, which is slower", "pip install uvloop")


def port(name: str, host: str, number: int) -> Finding:
    """Tell whether the server could listen there."""
    if number == 0:
        return Finding("ok", name, "any free port")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, number, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            # As servers do: connections that linger from before do not count.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        reason = error.strerror or str(error)
        return Finding(
            "fail",
            name,
            f"cannot listen on {host} port {number}: {reason}",
            f"stop what listens there (is the server running?), or set {name}",
        )
    return Finding("ok", name, f"{host} port {number} is free")


def folder(data: Path) -> Finding:
    """Tell whether the data folder can be written, or made."""
    at = _existing(data)
    try:
        with tempfile.TemporaryFile(dir=at):
            pass
    except OSError as error:
        return Finding(
            "fail",
            "data folder",
            f"cannot write in {at}: {error.strerror}",
            "set server.data to a folder of the server's own user",
        )
    return Finding("ok", "data folder", f"{data} {'is writable' if at == data else 'can be made'}")


def space(free: int) -> Finding:
    """Judge the free space, in bytes, where the data is."""
    text = f"{free / (1 << 30):.1f} GiB free"
    if free >= SPACE_WANTED:
        return Finding("ok", "disk space", text)
    return Finding(
        "warn" if free >= SPACE_LEAST else "fail",
        "disk space",
        f"{text}; comments are refused when it is full",
        "make room, lower log.retention, or set server.data to a larger disk",
    )


def secrets(data: Path) -> Iterator[Finding]:
    """Tell of secrets in the data folder that others may read."""
    for name in ("auth.secret", "ids.secret"):
        with contextlib.suppress(FileNotFoundError):
            mode = stat.S_IMODE((data / name).stat().st_mode)
            if mode & 0o077:
                yield Finding(
                    "warn",
                    name,
                    f"others may read it (mode {mode:04o})",
                    f"chmod 600 {data / name}",
                )
            else:
                yield Finding("ok", name, "only its owner may read it")


def clock(data: Path, clock: Clock) -> Finding:
    """Judge the wall clock: comment ids and retention are made of it."""
    now_ms = clock.wall_ms()
    advice = "set the clock, and keep it with NTP"
    if now_ms < EARLIEST_MS:
        return Finding("fail", "clock", f"says {rfc3339(now_ms)}, which is past", advice)
    newest_ms = 0
    if data.is_dir():
        newest_ms = max((int(f.stat().st_mtime * 1000) for f in data.iterdir()), default=0)
    if newest_ms > now_ms + FUTURE_MS:
        return Finding(
            "warn",
            "clock",
            f"says {rfc3339(now_ms)}, but data was written at {rfc3339(newest_ms)}",
            advice,
        )
    return Finding("ok", "clock", rfc3339(now_ms))


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above that exists."""
    return next((at for at in (folder, *folder.absolute().parents) if at.is_dir()), Path("/"))
