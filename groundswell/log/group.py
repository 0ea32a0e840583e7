"""Consumer groups within one process: each partition has one owner among the members.

Commits are in memory at once and in the file with the next append, or after a second: after a
crash a group reads a little again, which every consumer must be able to bear anyway.
"""

from collections.abc import Callable

from groundswell.contract.ports.log import Batch, Lost, OffsetOutOfRange, StartAt, Topic
from groundswell.log.schema import FIRST_LANE
from groundswell.log.state import LogState
from groundswell.log.tail import SqliteTail

Commits = dict[tuple[str, int], int]
"""`(group, lane) -> offset`: everything before it is done."""


class Membership:
    """The members of one group on one topic, and which partitions each owns."""

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self._members: list[SqliteGroup] = []

    def join(self, member: "SqliteGroup") -> None:
        """Give the new member its share."""
        self._members.append(member)
        self._share_out()

    def leave(self, member: "SqliteGroup") -> None:
        """Share a member's partitions out among the others."""
        self._members.remove(member)
        self._share_out()

    def _share_out(self) -> None:
        shares: dict[SqliteGroup, set[int]] = {
            member: set(range(number, self._partitions, len(self._members)))
            for number, member in enumerate(self._members)
        }
        for member, share in shares.items():  # first all that is taken away, then what is given
            member.lose(share)
        for member, share in shares.items():
            member.take_on(share)


class SqliteGroup:
    """A `Group` member; `next_batches` may be called by one task at a time."""

    def __init__(
        self,
        name: str,
        topic: Topic,
        *,
        membership: Membership,
        tail: SqliteTail,
        state: LogState,
        commits: Commits,
        save: Callable[[str, int, int], None],
        start_at: StartAt | None,
        lost: Lost | None,
    ) -> None:
        self._name = name
        self._topic = topic
        self._membership = membership
        self._tail = tail
        self._state = state
        self._commits = commits
        self._save = save
        self._start_at = start_at
        self._lost = lost
        self._owned: set[int] = set()
        self._waiting: set[int] = set()  # owned, but not read yet
        self._closed = False

    async def next_batches(self) -> list[Batch]:
        """Wait for records of the owned partitions; see `Group`.

        Raises `LogUnavailable` (call again), and `OffsetOutOfRange` as long as a partition is to
        start at an offset that is not there.
        """
        while True:
            await self._start_waiting()
            try:
                batches = await self._tail.collect()
            except OffsetOutOfRange as error:
                if error.partition in self._owned:
                    self._waiting.add(error.partition)
                raise
            if batches:
                return batches
            await self._tail.waker.wait()

    async def commit(self, partition: int, offset: int) -> None:
        """Say that everything before `offset` is done; see `Group`.

        Of a partition that was lost it is ignored: its new owner repeats what was not committed.
        """
        lane = FIRST_LANE[self._topic] + partition
        if partition in self._owned and offset > self._commits.get((self._name, lane), 0):
            self._commits[self._name, lane] = offset
            self._save(self._name, lane, offset)

    async def committed(self, partition: int) -> int | None:
        """Return what the group committed last."""
        return self._commits.get((self._name, FIRST_LANE[self._topic] + partition))

    async def close(self) -> None:
        """Leave the group; a waiting `next_batches` raises `asyncio.CancelledError`."""
        if not self._closed:
            self._closed = True
            self._owned.clear()
            self._waiting.clear()
            await self._tail.close()
            self._membership.leave(self)

    # For `Membership`

    def lose(self, share: set[int]) -> None:
        """Give up the partitions that are not in the new share."""
        for partition in sorted(self._owned - share):
            self._owned.discard(partition)
            self._waiting.discard(partition)
            self._tail.unfollow(self._topic, partition)
            if self._lost is not None:
                self._lost(partition)

    def take_on(self, share: set[int]) -> None:
        """Own the partitions of the new share, and start the new ones at the next read."""
        self._waiting |= share - self._owned
        self._owned |= share
        self._tail.waker.wake()

    async def _start_waiting(self) -> None:
        for partition in sorted(self._waiting):
            lane = FIRST_LANE[self._topic] + partition
            offset = self._commits.get((self._name, lane))
            if self._start_at is not None:
                offset = await self._start_at(partition, offset)
            elif offset is None:
                offset = self._state.bounds(lane).first
            if partition in self._waiting:  # still ours
                self._waiting.discard(partition)
                self._tail.follow(self._topic, partition, offset)
