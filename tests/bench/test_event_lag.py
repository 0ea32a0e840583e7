"""The watch of the lag, on a log and a store that say what a test wants."""

from groundswell.bench.event_lag import LagWatch
from groundswell.contract.ports.log import Bounds, Topic
from groundswell.contract.ports.store import Projection
from groundswell.contract.settings import Settings


class Log:
    """Two partitions a topic, with these ends."""

    def __init__(self, ends: dict[Topic, int]) -> None:
        self._ends = ends

    def partitions(self, topic: Topic) -> int:
        return 2

    def generation(self) -> int:
        return 1

    async def bounds(self, topic: Topic, partition: int) -> Bounds:
        return Bounds(0, self._ends[topic])


class Store:
    """What is applied of each projection; a projection catches up at its next question."""

    def __init__(self, applied: dict[Projection, list[int]]) -> None:
        self._applied = applied

    def applied(self, projection: Projection, partitions: int, *, generation: int) -> int:
        left = self._applied[projection]
        return left.pop(0) if len(left) > 1 else left[0]


def watch(log: Log, store: Store) -> LagWatch:
    return LagWatch(Settings(), store, _log=log)


ENDS = {Topic.EVENTS: 50, Topic.REACTIONS: 10}


async def test_what_is_drained_is_waited_for():
    """One of two projections is 30 behind at first."""
    store = Store({Projection.COMMENTS: [70, 100], Projection.TALLY: [20]})
    assert await watch(Log(ENDS), store).drain(within=60) is not None


async def test_what_never_drains_is_given_up():
    """The report says then that it was not drained."""
    store = Store({Projection.COMMENTS: [70], Projection.TALLY: [20]})
    assert await watch(Log(ENDS), store).drain(within=0.05) is None


async def test_the_most_that_was_ever_missing_is_kept():
    """Over both partitions, of each projection by itself."""
    store = Store({Projection.COMMENTS: [40, 100], Projection.TALLY: [15, 20]})
    lag = watch(Log(ENDS), store)
    await lag.look()
    await lag.look()
    assert lag.most == {Projection.COMMENTS: 60, Projection.TALLY: 5}
