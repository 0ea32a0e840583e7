"""Waiting for conditions, never for durations."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

POLL_S = 0.02  # short beside everything that is waited for, long beside a request

_Result = TypeVar("_Result")


class NeverHappened(AssertionError):
    """A condition did not come true in the time that it was given."""


async def wait_until(condition: Callable[[], object], *, within: float, what: str) -> float:
    """Wait until `condition()` is true; return how long it took, in seconds."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > within:
            raise NeverHappened(f"{what}: not within {within} s")
        await asyncio.sleep(POLL_S)
    return time.monotonic() - began


async def wait_for_result(
    attempt: Callable[[], Awaitable[_Result | None]], *, within: float, what: str
) -> _Result:
    """Call `attempt` until it returns something other than None, and return that."""
    began = time.monotonic()
    while (result := await attempt()) is None:
        if time.monotonic() - began > within:
            raise NeverHappened(f"{what}: not within {within} s")
        await asyncio.sleep(POLL_S)
    return result
