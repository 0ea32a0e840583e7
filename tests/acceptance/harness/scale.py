"""How large the tests are: modest by default, the full counts with GROUNDSWELL_TEST_SCALE."""

import os
import random

SCALE = float(os.environ.get("GROUNDSWELL_TEST_SCALE", "1"))
SEED = int(os.environ.get("GROUNDSWELL_TEST_SEED", str(random.SystemRandom().randrange(1 << 32))))


def scaled(count: int, *, full: int) -> int:
    """Return `count` times the scale, at most the full count."""
    return max(1, min(full, round(count * SCALE)))


def seeded(name: str) -> random.Random:
    """Return the random numbers of one test: the same again for the same printed seed."""
    return random.Random(f"{SEED}/{name}")
