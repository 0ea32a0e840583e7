"""Serving an application on a free port of this machine until the process is ended."""

import asyncio
import sys

from aiohttp import web

BACKLOG = 4096  # thousands of viewers connect within seconds


async def listen(app: web.Application) -> int:
    """Listen on a port of the system's choice, and return it."""
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=BACKLOG).start()
    port: int = runner.addresses[0][1]
    return port


async def serve(app: web.Application) -> None:
    """Listen, and say `ready PORT` on stdout."""
    sys.stdout.write(f"ready {await listen(app)}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()
