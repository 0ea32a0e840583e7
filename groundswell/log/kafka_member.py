"""Being a member of a Kafka consumer group: joining, heartbeats, commits.

The classic group protocol, with an instance id where the process has a name: back within the
session timeout it gets its partitions again without disturbing the others (static membership).
Heartbeats say that the process lives, not that its store does: a member whose store is down
waits, since no other member would fare better.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from groundswell.contract.ports.log import LogError, LogUnavailable
from groundswell.log import kafka_codes as codes
from groundswell.log.kafka_nodes import Nodes
from groundswell.log.kafka_reader import RETRY_S
from groundswell.log.kafka_shares import (
    STRATEGY,
    decode_claim,
    decode_share,
    encode_claim,
    encode_share,
    share_out,
)
from groundswell.log.kafka_wire import (
    FIND_COORDINATOR,
    HEARTBEAT,
    JOIN_GROUP,
    LEAVE_GROUP,
    OFFSET_COMMIT,
    OFFSET_FETCH,
    SYNC_GROUP,
    Call,
)

SESSION_S = 10.0
BEATS = 10  # heartbeats in a session: how soon a member hears of a new one
_GROUP, _PROTOCOL = 0, "consumer"


class Fenced(LogError):
    """Another process uses this one's name in the group."""


class _Expelled(Exception):
    """Kafka does not know this member any more."""


class _Rejoin(Exception):
    """The group is being shared out anew."""


class KafkaMember:
    """Keeps one membership alive; `owned` is what it has, as of the last share.

    `changed` is called with the new share when there is one, and with nothing when the member was
    expelled. `joining` tells whether others may be getting what it owned.
    """

    def __init__(
        self,
        nodes: Nodes,
        group: str,
        topic: str,
        *,
        partitions: int,
        instance: str | None,
        deadline_s: float,
        session_s: float,
        changed: Callable[[frozenset[int]], None],
        failed: Callable[[LogError], None],
    ) -> None:
        self.owned: frozenset[int] = frozenset()
        self.joining = True
        self._nodes = nodes
        self._group = group
        self._topic = topic
        self._partitions = partitions
        self._instance = instance
        self._deadline_s = deadline_s
        self._session_s = session_s
        self._changed = changed
        self._failed = failed
        self._lane = f"group-{group}-{id(self)}"
        self._loop = asyncio.get_running_loop()
        self._coordinator: int | None = None
        self._generation = -1
        self._member = ""
        self._beaten = 0.0  # when the last heartbeat that was answered had been sent
        self._task = self._loop.create_task(self._run(), name=f"kafka-{group}")

    @property
    def fresh(self) -> bool:
        """Whether what it owns cannot have been given to another member yet."""
        return not self.joining and self._loop.time() - self._beaten < self._session_s

    async def close(self) -> None:
        """Leave the group, so that the others need not wait for the session's end."""
        self._task.cancel()
        await asyncio.wait([self._task])
        self.joining = True
        if self._member and self._coordinator is not None:
            call = Call(LEAVE_GROUP, self._group, [(self._member, self._instance)])
            with contextlib.suppress(LogError):  # the session will run out
                await self._nodes.call(self._coordinator, call, lane=self._lane, timeout_s=1.0)
        await self._nodes.close_lane(self._lane)
        await self._nodes.close_lane(self._lane + "-join")

    async def commit(self, offsets: dict[int, int]) -> None:
        """Commit offsets of owned partitions; raises `LogUnavailable` when that takes too long.

        What is not this member's any more is left alone.
        """
        try:
            async with asyncio.timeout(self._deadline_s):
                while offsets := {p: at for p, at in offsets.items() if p in self.owned}:
                    if await self._commit_once(offsets):
                        return
                    await asyncio.sleep(RETRY_S)
        except TimeoutError as error:
            raise LogUnavailable("Kafka does not take the group's commit in time") from error

    async def committed(self, partition: int) -> int | None:
        """Return what the group committed last; raises `LogUnavailable`."""
        asked = [(self._topic, [partition])]
        try:
            async with asyncio.timeout(self._deadline_s):
                while True:
                    reply = await self._ask(Call(OFFSET_FETCH, self._group, asked))
                    if reply is not None and not self._misplaced(reply[2]):
                        _, ((_, ((_, offset, _, _, error),)),), _ = reply
                        if not self._misplaced(error):
                            return None if offset < 0 else int(offset)
                    await asyncio.sleep(RETRY_S)
        except TimeoutError as error:
            raise LogUnavailable("Kafka does not tell the group's commit in time") from error

    # The membership

    async def _run(self) -> None:
        while True:
            try:
                await self._join()
                await self._beat()
            except _Expelled:
                self._member, self._generation = "", -1
                self._own(frozenset())
            except _Rejoin:
                pass
            except Fenced as error:
                self.joining = True
                self._own(frozenset())
                self._failed(error)
                return
            except LogUnavailable:
                self._coordinator = None
                await asyncio.sleep(RETRY_S)
            except LogError as error:
                self._failed(error)
                await asyncio.sleep(self._session_s)

    async def _join(self) -> None:
        if await self._find() is None:
            raise LogUnavailable("no coordinator")
        self.joining = True  # from here on others may be given what we own
        session_ms = int(self._session_s * 1000)
        claim = encode_claim(self._topic, self.owned)
        call = Call(
            JOIN_GROUP,
            self._group,
            session_ms,
            session_ms,
            self._member,
            self._instance,
            _PROTOCOL,
            [(STRATEGY, claim)],
        )
        asked_at = self._loop.time()
        reply = await self._wait_for(call)
        _, error, generation, _, leader, member, members = reply
        if error == codes.MEMBER_ID_REQUIRED:
            self._member = member
            raise _Rejoin
        self._raise_for(error)
        self._member, self._generation = member, generation
        shares = self._shares(members) if leader == member else []
        reply = await self._wait_for(
            Call(SYNC_GROUP, self._group, generation, member, self._instance, shares)
        )
        _, error, share = reply
        self._raise_for(error)
        self._beaten = max(asked_at, self._loop.time() - self._session_s / 2)
        self.joining = False
        self._own(decode_share(share))

    def _shares(self, members: list[Any]) -> list[tuple[str, bytes]]:
        claims = {member: decode_claim(claim) for member, _, claim in members}
        return [
            (member, encode_share(self._topic, share))
            for member, share in share_out(claims, self._partitions).items()
        ]

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._session_s / BEATS)
            if await self._find() is None:
                continue
            sent_at = self._loop.time()
            call = Call(HEARTBEAT, self._group, self._generation, self._member, self._instance)
            reply = await self._ask(call)
            if reply is None or self._misplaced(reply[1]):
                continue
            self._raise_for(reply[1])
            stale, self._beaten = not self.fresh, sent_at
            if stale:
                self._changed(self.owned)  # nobody else got them: go on

    def _own(self, share: frozenset[int]) -> None:
        self.owned = share
        self._changed(share)

    def _raise_for(self, error: int) -> None:
        if error in codes.NO_COORDINATOR:
            raise LogUnavailable(codes.name_of(error))
        if error in (codes.UNKNOWN_MEMBER, codes.ILLEGAL_GENERATION):
            raise _Expelled
        if error == codes.REBALANCE_IN_PROGRESS:
            raise _Rejoin
        if error == codes.FENCED_INSTANCE:
            raise Fenced(
                f"another process is {self._instance!r} in group {self._group}: give every "
                "process a kafka.member of its own, and restart this one"
            )
        if error != codes.NONE:
            raise LogError(f"Kafka refuses group {self._group}: {codes.name_of(error)}")

    # Asking the coordinator

    async def _commit_once(self, offsets: dict[int, int]) -> bool:
        asked = [(self._topic, [(partition, at, -1, "") for partition, at in offsets.items()])]
        call = Call(
            OFFSET_COMMIT, self._group, self._generation, self._member, self._instance, asked
        )
        reply = await self._ask(call)
        if reply is None:
            return False
        _, ((_, answers),) = reply
        errors = {error for _, error in answers} - {codes.NONE}
        # A member that Kafka does not know any more learns that by its next heartbeat.
        gone = {codes.UNKNOWN_MEMBER, codes.ILLEGAL_GENERATION, codes.FENCED_INSTANCE}
        if errors & gone:
            self._beaten = 0.0
            return True
        return not any(self._misplaced(error) for error in errors) and not errors

    async def _ask(self, call: Call) -> tuple[Any, ...] | None:
        """Ask the coordinator; None: it is not there, and another will be looked for."""
        node = await self._find()
        if node is None:
            return None
        try:
            return await self._nodes.call(
                node, call, lane=self._lane, timeout_s=self._session_s / 3
            )
        except LogUnavailable:
            self._coordinator = None
            return None

    async def _wait_for(self, call: Call) -> tuple[Any, ...]:
        """Ask what is answered only when the whole group has come."""
        if self._coordinator is None:
            raise LogUnavailable("no coordinator")
        return await self._nodes.call(
            self._coordinator, call, lane=self._lane + "-join", timeout_s=2 * self._session_s
        )

    def _misplaced(self, error: int) -> bool:
        """Tell whether to ask again: of another coordinator, or when the group has settled."""
        if error in codes.NO_COORDINATOR:
            self._coordinator = None
            return True
        return error in codes.TRY_AGAIN

    async def _find(self) -> int | None:
        if self._coordinator is None:
            try:
                reply = await self._nodes.any_call(
                    Call(FIND_COORDINATOR, self._group, _GROUP), timeout_s=self._session_s / 3
                )
            except LogUnavailable:
                return None
            _, error, _, node, _, _ = reply
            if error == codes.NONE:
                if node not in self._nodes.cluster.addresses:
                    await self._nodes.refresh()
                self._coordinator = node
        return self._coordinator
