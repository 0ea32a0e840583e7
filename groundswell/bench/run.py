"""What all scenarios share: tools, cores, tokens, and how long a run takes."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from groundswell.bench import tokens
from groundswell.bench.journal import Journal
from groundswell.bench.native_tools import Tools, compile_tools, default_cache

WRITERS = 64  # connections, each with a user of its own


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a scenario. Cores are None where processes cannot be pinned."""

    tools: Tools
    seconds: float  # of each measurement
    secret: str
    tokens: Path
    writers: int = WRITERS
    server_core: int | None = 0
    client_core: int | None = 1
    journal: Journal = field(default_factory=Journal)
    centrifugo: Path | None = None  # its program, where the user has named one


@contextmanager
def prepared(
    *,
    seconds: float,
    writers: int = WRITERS,
    journal: Journal | None = None,
    centrifugo: Path | None = None,
) -> Iterator[Run]:
    """Compile the tools and make the tokens of a run, which is written down in `journal`."""
    tools = compile_tools(default_cache())
    cores = sorted(os.sched_getaffinity(0))
    pinned = len(cores) > 1 and shutil.which("taskset") is not None
    with tempfile.TemporaryDirectory(prefix="groundswell-bench-") as folder:
        secret = tokens.make_secret()
        path = Path(folder) / "tokens"
        tokens.write_tokens(path, secret=secret, users=writers)
        yield Run(
            tools=tools,
            seconds=seconds,
            secret=secret,
            tokens=path,
            writers=writers,
            server_core=cores[0] if pinned else None,
            client_core=cores[1] if pinned else None,
            journal=journal or Journal(),
            centrifugo=centrifugo,
        )
