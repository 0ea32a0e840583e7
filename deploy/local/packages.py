"""The Debian packages that the engines come in, and nginx; installed without starting services."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from deploy.local.errors import StackError
from deploy.local.java import JAVA_VERSION, jar_folder, java
from deploy.local.node import program
from deploy.local.plan import Plan
from deploy.local.postgresql import server_program

POLICY: Final = Path("/usr/sbin/policy-rc.d")
APT_SECONDS: Final = 900.0
JAVA: Final = f"openjdk-{JAVA_VERSION}-jre-headless"

# What finds the program that a package is wanted for; it raises StackError where there is none.
FINDERS: Final[Mapping[str, Callable[[], object]]] = {
    JAVA: java,
    "maven": lambda: program("mvn"),
    "redis-server": lambda: program("redis-server"),
    "postgresql": lambda: server_program("initdb"),
    "nginx": lambda: program("nginx"),
}


def missing(packages: Iterable[str] = FINDERS) -> list[str]:
    """Return those packages whose programs are not installed, in whatever way."""
    return [package for package in packages if not _is_there(FINDERS[package])]


def packages_for(plan: Plan, *, cache: Path) -> list[str]:
    """Return the packages that a plan needs; Maven only as long as jars are to be fetched."""
    jars = [engine for engine in ("kafka", "cassandra") if plan.count(engine)]
    needed = {
        JAVA: bool(jars),
        "maven": not all(jar_folder(engine, cache=cache).is_dir() for engine in jars),
        "redis-server": bool(plan.redis),
        "postgresql": bool(plan.postgresql),
    }
    return [package for package, is_needed in needed.items() if is_needed]


def install(packages: list[str], *, report: Callable[[str], None]) -> None:
    """Install packages with apt-get; their own services stay off.

    Raises:
        StackError: we are not root, this is not Debian, or apt-get failed.
    """
    if not packages:
        return
    wanted = " ".join(packages)
    apt = shutil.which("apt-get")
    if apt is None:
        raise StackError(
            "not installed, and without apt-get we cannot: " + wanted,
            hint="these are Debian's names; the programs must be in PATH",
        )
    if os.geteuid() != 0:
        raise StackError(
            f"not installed: {wanted}",
            hint=f"as root: apt-get install --no-install-recommends {wanted}",
        )
    report(f"apt-get installs {wanted}")
    with _services_off():
        _apt(apt, "update", "-qq")
        _apt(apt, "install", "-qq", "--yes", "--no-install-recommends", *packages)


def _is_there(find: Callable[[], object]) -> bool:
    try:
        find()
    except StackError:
        return False
    return True


def _apt(apt: str, *arguments: str) -> None:
    done = subprocess.run(  # noqa: S603 -- a fixed command
        [apt, *arguments],
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        capture_output=True,
        text=True,
        timeout=APT_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise StackError(f"apt-get {arguments[0]} failed:\n{done.stderr[-2000:]}")


@contextmanager
def _services_off() -> Iterator[None]:
    # invoke-rc.d asks this program before it starts a service; 101 means no.
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()
