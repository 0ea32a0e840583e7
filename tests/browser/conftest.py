"""Fixtures of the browser tests: one Chromium, real servers, and pages whose console is watched."""

import re
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright, expect

from tests.acceptance.harness.deploying import Deploy, DeployEmbedded
from tests.acceptance.harness.embedded import Embedded
from tests.browser.harness.audience import QUIET, Audience

FLAGS = (
    "--no-sandbox",  # the only page that it opens is ours
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-gpu",
    "--no-first-run",
)
PATIENCE_MS = 15_000  # of a locator, on a busy machine

expect.set_options(timeout=PATIENCE_MS)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """Debian's Chromium."""
    path = shutil.which("chromium")
    assert path, "chromium is missing: run `make test-browser`"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def audience(chromium: Browser) -> AsyncIterator[Audience]:
    """People who watch; none of their pages may complain by the end of the test."""
    audience = Audience(chromium)
    yield audience
    await audience.leave()


@pytest.fixture(scope="session")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    """One server for all tests that leave it running and use videos of their own."""
    deploy = DeployEmbedded(tmp_path_factory.mktemp("quiet"))
    yield deploy(**QUIET)
    deploy.close()


@pytest.fixture
def deploy(tmp_path: Path) -> Iterator[Deploy]:
    """Servers for one test: `deploy(**QUIET)`."""
    deploy = DeployEmbedded(tmp_path)
    yield deploy
    deploy.close()


@pytest.fixture
def video(request: pytest.FixtureRequest) -> str:
    """A video that no other test uses."""
    name: str = request.node.name
    return re.sub(r"[^A-Za-z0-9_.-]", "-", name)[-64:]
