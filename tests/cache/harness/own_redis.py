"""A Redis of the test's own, which it may stop, pause and kill; and keys of its own in another."""

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

DEADLINE_SECONDS = 10.0
POLL_SECONDS = 0.005


async def wait_until(condition: Callable[[], object]) -> None:
    """Wait for a condition, at most until the deadline."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not condition():  # noqa: ASYNC110  any condition, not one with an event
            await asyncio.sleep(POLL_SECONDS)


def own_prefix() -> str:
    """Return a key prefix that nobody else uses."""
    return f"gs-test-{secrets.token_hex(6)}:"


@contextlib.asynccontextmanager
async def client_of(url: str) -> AsyncIterator[Redis]:
    """Yield a plain client, to look behind the cache's back."""
    client = Redis.from_url(url)
    try:
        yield client
    finally:
        await client.aclose()


async def remove_keys(url: str, prefix: str) -> None:
    """Remove everything under a prefix."""
    async with client_of(url) as client:
        async for key in client.scan_iter(match=f"{prefix}*", count=1000):
            await client.delete(key)


class OwnRedis:
    """A redis-server process on a free port of loopback, with nothing on disk."""

    def __init__(self, folder: Path, *, password: str = "") -> None:
        program = shutil.which("redis-server")
        if program is None:
            pytest.skip("redis-server is not installed")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._command = [program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        self._command += ["--appendonly", "no", "--dir", str(folder), "--daemonize", "no"]
        if password:
            self._command += ["--requirepass", password]
        user = f":{password}@" if password else ""
        self.url = f"redis://{user}127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start it, empty, and wait until it answers."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)  # noqa: ASYNC220  returns at once
        async with asyncio.timeout(DEADLINE_SECONDS), client_of(self.url) as client:
            while True:
                with contextlib.suppress(RedisError, OSError):
                    await client.ping()
                    return
                await asyncio.sleep(POLL_SECONDS)

    def kill(self) -> None:
        """End it at once; it keeps nothing."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Have it answer nobody, its sockets open."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Have it answer again, all that it was asked meanwhile."""
        self._signal(signal.SIGCONT)

    async def run(self, work: Callable[[Redis], Awaitable[object]]) -> object:
        """Do something with a plain client."""
        async with client_of(self.url) as client:
            return await work(client)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)
