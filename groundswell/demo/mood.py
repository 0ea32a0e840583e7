"""How excited the crowd is: mostly calm, and now and then there is a goal."""

from random import Random

CALM_S = (25.0, 65.0)  # between two goals, evenly: 45 s on average
GOAL_S = 5.0  # how long a goal is cheered
CHEER = 4.0  # how much faster everything comes then
# So that calm and cheering together make the rates that were asked for.
_CALM_MEAN_S = sum(CALM_S) / 2
CALM = (_CALM_MEAN_S + GOAL_S - CHEER * GOAL_S) / _CALM_MEAN_S


class Mood:
    """Knows whether a goal is being cheered; times are seconds of a monotonic clock."""

    def __init__(self, random: Random, *, now: float) -> None:
        self._random = random
        self._goal_at = now + random.uniform(*CALM_S)

    def cheering(self, now: float) -> bool:
        """Tell whether there was a goal just now."""
        if now >= self._goal_at + GOAL_S:
            self._goal_at = now + self._random.uniform(*CALM_S)
        return now >= self._goal_at

    def wait(self, rate: float) -> float:
        """Return the time to the next impulse to do what is done `rate` times a second."""
        return self._random.expovariate(rate * CHEER)

    def follows(self, now: float) -> bool:
        """Tell whether an impulse is followed: while cheering every one, else few.

        Thinned like this, a Poisson process stays exact over the edges of a goal.
        """
        return self.cheering(now) or self._random.random() * CHEER < CALM
