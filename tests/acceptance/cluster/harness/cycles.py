"""How often each fault is repeated, and with which seeds."""

import os
from collections.abc import Iterator

from tests.acceptance.harness.scale import SCALE, SEED

CYCLES = int(os.environ.get("GROUNDSWELL_FAULT_CYCLES", "1"))
FULL = SCALE >= 10


def seeds(fault: str) -> Iterator[str]:
    """Return the seed of each cycle; the same GROUNDSWELL_TEST_SEED gives the same again."""
    return (f"{SEED}/{fault}/{cycle}" for cycle in range(CYCLES))
