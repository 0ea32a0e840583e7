"""What every test is held to: the native extension, no blocked loop, no leaked task."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator

import pytest
import structlog
from blockbuster import blockbuster_ctx
from hypothesis import settings

from groundswell import cext

# Before anything is served, or on a loop in a thread of its own.
MAY_BLOCK = {
    "groundswell/server/pages.py": {"page_routes"},  # reads the page once, at the start
    "groundswell/accounts/migrate.py": {"upgrade"},  # runs on a loop and a thread of its own
    "groundswell/accounts/engine.py": {
        "make_engine",  # SQLAlchemy makes the path absolute
        "_connect_postgresql",  # asyncpg looks for ~/.pgpass and ~/.postgresql
    },
}

# A busy shared machine says nothing about our code by being slow.
settings.register_profile("default", deadline=None, print_blob=True)
settings.load_profile("default")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Refuse to test the pure twins by accident."""
    if not cext.EXTENSION_LOADED and os.environ.get("GROUNDSWELL_PURE") != "1":
        pytest.exit("the native extension is not built: run `make build`", returncode=1)
    # As the product's own (`telemetry/logging.py`): rich's, which structlog takes where it is,
    # draws every variable of every frame, and a test with a crash then takes minutes.
    *before, _renderer = structlog.get_config()["processors"]
    plain = structlog.dev.ConsoleRenderer(
        colors=False, exception_formatter=structlog.dev.plain_traceback
    )
    structlog.configure(processors=[*before, plain])


@pytest.fixture(autouse=True)
def no_blocked_loop(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test in which our code blocks the event loop."""
    if request.node.get_closest_marker("stack") or request.node.get_closest_marker("browser"):
        yield  # the server is another process; what the test's own loop does is its affair
        return
    with blockbuster_ctx("groundswell") as blocking:
        for function in blocking.functions.values():
            for file, names in MAY_BLOCK.items():
                function.can_block_in(file, names)
        yield


@pytest.fixture(autouse=True)
async def no_leaked_task(request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """Fail a test that leaves tasks behind, or whose loop met an exception nobody handled."""
    loop = asyncio.get_running_loop()
    unhandled: list[dict[str, object]] = []
    loop.set_exception_handler(lambda _, context: unhandled.append(context))
    before = asyncio.all_tasks()
    yield
    deadline = loop.time() + 2.0
    while (left := asyncio.all_tasks() - before - {asyncio.current_task()}) and (
        loop.time() < deadline
    ):
        await asyncio.wait(left, timeout=0.05)
    assert not left, f"tasks left behind: {[task.get_name() for task in left]}"
    assert not unhandled, f"exceptions that nobody handled: {unhandled}"
