"""What the plane's scenarios share: servers, a video with comments in it, an open loop of posts."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

from groundswell.bench import servers, traffic
from groundswell.bench.native_tools import ToolFailed
from groundswell.bench.process import Process
from groundswell.bench.run import Run
from groundswell.bench.servers import Wanted
from groundswell.bench.targets import VIDEO, Target

SNAPSHOT = 50  # comments in a `welcome`: the default of room.snapshot
FILL_TIME = 0.5  # seconds of a go
FILL_TRIES = 20
SETTLE_TIME = 1.0  # seconds for the last bytes to arrive, and for memory to settle


def groundswell(
    run: Run, plane: str, env: Mapping[str, str] | None = None
) -> AbstractContextManager[Target]:
    """Start `groundswell serve` on the server's core, with rate limits off and everything shown."""
    return servers.start(run, "groundswell", Wanted(plane=plane, env=env or {}))


def fill(run: Run, server: Target, *, video: str = VIDEO) -> None:
    """Post as many comments as a `welcome` brings; on a busy machine in several goes."""
    missing = SNAPSHOT
    for _ in range(FILL_TRIES):
        rate = missing / FILL_TIME
        with posting(run, server, rate=rate, seconds=FILL_TIME, video=video) as (_, wait):
            missing -= wait().ok
        if missing <= 0:
            return
    raise ToolFailed(f"{missing} of {SNAPSHOT} comments were not accepted")


@contextmanager
def posting(
    run: Run,
    server: Target,
    *,
    rate: float,
    seconds: float,
    video: str = VIDEO,
    options: Mapping[str, object] | None = None,
) -> Iterator[tuple[Process, Callable[[], traffic.WritersSaw]]]:
    """Start an open loop of posts; yields its process, and what waits for its end.

    `options` are further ones of `writers.c`.
    """
    with traffic.writing(
        run.tools,
        server.posts_port or server.port,
        tokens=run.tokens,
        seconds=seconds,
        connections=min(run.writers, max(1, round(rate))) if options is None else run.writers,
        core=run.client_core,
        rate=rate,
        video=video,
        dialect=server.dialect,
        options=options,
    ) as process:
        yield process, lambda: traffic.written(process, within=seconds)


def rest(seconds: float | None = None) -> None:
    """Let what is under way arrive."""
    time.sleep(SETTLE_TIME if seconds is None else seconds)
