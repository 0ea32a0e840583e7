"""The Java 17 that Kafka and Cassandra run on, and their jars, fetched by Maven once."""

import functools
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from deploy.local.errors import StackError
from deploy.local.node import program

POMS: Final = Path(__file__).parent / "jars"
JAVA_VERSION: Final = 17  # the newest that Cassandra 5.0 runs on
MAVEN_SECONDS: Final = 600.0


@functools.cache
def java() -> str:
    """Return the `java` of a Java 17, wherever it is.

    Raises:
        StackError: there is none.
    """
    for candidate in _candidates():
        if candidate.exists() and _version(candidate) == JAVA_VERSION:
            return str(candidate)
    raise StackError(
        f"no Java {JAVA_VERSION} found",
        hint=f"Debian: apt-get install openjdk-{JAVA_VERSION}-jre-headless; or set JAVA_HOME",
    )


def jar_folder(engine: str, *, cache: Path) -> Path:
    """Return the folder of an engine's jars, named by its pom, so that another pom is another."""
    digest = hashlib.sha256((POMS / f"{engine}.xml").read_bytes()).hexdigest()
    return cache / "jars" / f"{engine}-{digest[:12]}"


def fetch_jars(engine: str, *, cache: Path) -> Path:
    """Return the folder of an engine's jars; Maven fills it if it is not there.

    Raises:
        StackError: Maven is missing, or failed.
    """
    folder = jar_folder(engine, cache=cache)
    if folder.is_dir():
        return folder
    partial = folder.with_name(f"{folder.name}.{os.getpid()}")
    command = [
        program("mvn"),
        *("--batch-mode", "--quiet", "--file", str(POMS / f"{engine}.xml")),
        "dependency:copy-dependencies",
        *("-DincludeScope=runtime", f"-DoutputDirectory={partial}"),
    ]
    try:
        done = subprocess.run(  # noqa: S603 -- a fixed command
            command, capture_output=True, text=True, timeout=MAVEN_SECONDS, check=False
        )
        if done.returncode != 0:
            raise StackError(f"Maven could not fetch {engine}:\n{done.stdout[-2000:]}")
        partial.replace(folder)
    except subprocess.TimeoutExpired:
        raise StackError(f"Maven took more than {MAVEN_SECONDS:.0f} s for {engine}") from None
    except OSError:
        if not folder.is_dir():  # another command that fetched the same may have been faster
            raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def _candidates() -> Iterator[Path]:
    if home := os.environ.get("JAVA_HOME"):
        yield Path(home) / "bin/java"
    yield from sorted(Path("/usr/lib/jvm").glob(f"*-{JAVA_VERSION}-*/bin/java"))
    if found := shutil.which("java"):
        yield Path(found)


def _version(java: Path) -> int | None:
    done = subprocess.run(  # noqa: S603 -- asks a Java for its version
        [java, "-version"], capture_output=True, text=True, check=False
    )
    match = re.search(r'version "(\d+)', done.stderr)
    return int(match.group(1)) if match else None
