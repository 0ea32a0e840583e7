"""Waiting for a condition with a deadline, and doing one thing to several nodes at once."""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

POLL_SECONDS: Final = 0.1


def wait_until(condition: Callable[[], bool], *, seconds: float) -> bool:
    """Return True as soon as the condition holds, False if it does not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def in_parallel(action: Callable[[str], None], names: Iterable[str]) -> None:
    """Call `action` with every name at once; raise the first error after all have ended."""
    with ThreadPoolExecutor() as pool:
        for outcome in [pool.submit(action, name) for name in names]:
            outcome.result()
