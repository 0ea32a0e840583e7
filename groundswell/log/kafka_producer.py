"""Appending to Kafka: bounded in records, in bytes and in time, and healing by itself.

Every partition has a lane (`kafka_lane.py`); what is ready goes out with the next turn of the
loop, one request for all lanes of a node. When Kafka and we disagree about a sequence, or a batch
was given up, the producer id is replaced: one request, and what is unanswered is sent again in
order. Kafka may then have a record twice; readers decide about duplicates in the log's order.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass

from groundswell.contract.clock import Clock
from groundswell.contract.ports.log import (
    Appended,
    LogError,
    LogUnavailable,
    OutcomeUnknown,
    RecordTooLarge,
    Topic,
)
from groundswell.contract.settings import KafkaSettings
from groundswell.contract.statistics import Count
from groundswell.log import kafka_codes as codes
from groundswell.log.kafka_lane import Lane, Producer, Sending, Waiting
from groundswell.log.kafka_nodes import Nodes
from groundswell.log.kafka_produce import Answer, new_producer, produce_answers, produce_call
from groundswell.log.kafka_reader import RETRY_S, Place

WAITING_BYTES_MAX = 64 << 20  # not sent yet; a Kafka that stalls must not fill the memory
REQUESTS_MAX = 2  # unanswered at one node: the next is on its way while one is written there
SWEEP_S = 0.05  # how late a deadline is noticed, at most
_RECORD_BYTES = 512  # about what a waiting record takes beside its key and value
_LANE = "produce"


@dataclass(slots=True)
class ProducerStatistics:
    """Counters since the start, for the metrics. Records per batch: `appended / batches`."""

    appended: Count = 0  # records
    appended_bytes: Count = 0  # keys and values
    batches: Count = 0  # that were appended
    requests: Count = 0
    retries: Count = 0  # batches that were sent again
    producers: Count = 0  # producer ids taken; the first is no failure
    failures: Count = 0  # records that were not appended, or nobody knows
    queue_depth: int = 0  # records that wait to be sent
    in_flight: int = 0  # records that were sent and not heard of


class KafkaProducer:
    """Sends what `append` accepts. All methods belong to one event loop."""

    def __init__(
        self,
        nodes: Nodes,
        ids: Mapping[Topic, bytes],
        *,
        settings: KafkaSettings,
        clock: Clock,
        check: Callable[[], Awaitable[None]],
    ) -> None:
        self.statistics = ProducerStatistics()
        self.worked = True  # the last attempt
        self._nodes = nodes
        self._ids = ids
        self._settings = settings
        self._clock = clock
        self._check = check
        self._loop = asyncio.get_running_loop()
        self._producer: Producer | None = None
        self._lanes: dict[tuple[Topic, int], Lane] = {}
        self._ready: dict[Lane, None] = {}  # to be sent now, oldest first
        self._stalled: set[Lane] = set()  # to be sent after another look at the leaders
        self._requests: Counter[int] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._renewing: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None
        self._sweeping: asyncio.TimerHandle | None = None
        self._pumping = False
        self._waiting_bytes = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def start(self) -> None:
        """Take a producer id; raises `LogUnavailable`."""
        self._producer = await self._new_producer()

    async def close(self) -> None:
        """Return once everything that was accepted was answered or given up."""
        await self._idle.wait()
        if self._sweeping is not None:
            self._sweeping.cancel()
        others = [task for task in (self._renewing, self._looking) if task is not None]
        if tasks := [*self._tasks, *others]:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    def append(
        self, topic: Topic, partition: int, key: bytes | None, value: bytes | None
    ) -> "asyncio.Future[Appended]":
        """Accept a record; raises `LogUnavailable` when too much waits."""
        size = len(key or b"") + len(value or b"")
        if self._waiting_bytes > WAITING_BYTES_MAX:
            raise LogUnavailable("too much waits for Kafka")
        lane = self._lanes.get((topic, partition))
        if lane is None:
            lane = self._lanes[topic, partition] = Lane(topic, partition)
        done: asyncio.Future[Appended] = self._loop.create_future()
        expires = self._loop.time() + self._settings.deadline
        lane.waiting.append(Waiting(done, key, value, expires))
        self._waiting_bytes += size + _RECORD_BYTES
        self.statistics.queue_depth += 1
        self._idle.clear()
        if lane.sending is None:
            self._ready[lane] = None
            self._pump_soon()
        if self._sweeping is None:
            self._sweeping = self._loop.call_later(SWEEP_S, self._sweep)
        return done

    def fail(self, error: LogError) -> None:
        """Answer everything with an error; what was sent is unknown."""
        for lane in self._lanes.values():
            self._fail_waiting(lane, lane.waiting, error)
            lane.waiting.clear()
            if lane.sending is not None:
                unknown = OutcomeUnknown(str(error)) if lane.sending.doubtful else error
                self._give_up(lane, lane.sending, unknown)
        self._settle()

    # Sending

    def _pump_soon(self) -> None:
        if not self._pumping:
            self._pumping = True
            self._loop.call_soon(self._pump)

    def _pump(self) -> None:
        """Send what is ready, as far as there is room."""
        self._pumping = False
        if self._producer is None:
            self._renew()
            return
        by_node: dict[int, list[Lane]] = {}
        for lane in list(self._ready):
            if lane.sending is None and not lane.waiting:
                del self._ready[lane]
                continue
            node = self._nodes.leader(lane.topic, lane.partition)
            if node is None:
                self._stall(lane)
            elif self._requests[node] < REQUESTS_MAX and self._has_batch(lane, self._producer):
                del self._ready[lane]
                by_node.setdefault(node, []).append(lane)
        for node, lanes in by_node.items():
            self._requests[node] += 1
            batches = [(lane, lane.sending) for lane in lanes if lane.sending is not None]
            task = self._loop.create_task(self._send(node, batches), name="kafka-produce")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _has_batch(self, lane: Lane, producer: Producer) -> bool:
        """Make a batch where there is none yet and room for one."""
        if lane.sending is None:
            counts = self.statistics
            room = self._settings.in_flight - counts.in_flight
            if room <= 0:
                return False
            before = len(lane.waiting)
            batch = lane.next_batch(producer, room, now_ms=self._clock.wall_ms())
            counts.in_flight += len(batch.waiting)
            counts.queue_depth -= before - len(lane.waiting)
            self._waiting_bytes -= _size(batch.waiting)
        return True

    async def _send(self, node: int, batches: list[tuple[Lane, Sending]]) -> None:
        """Send one request and deal with its answer."""
        doubted = {lane: batch.doubtful for lane, batch in batches}
        self.statistics.requests += 1
        answers: dict[Place, Answer] = {}
        try:
            await self._nodes.connect(node, lane=_LANE)
            # Some may have been given up meanwhile, as not sent: that must stay true.
            batches = [(lane, batch) for lane, batch in batches if lane.sending is batch]
            for _, batch in batches:
                batch.doubtful = True
            call = produce_call(batches, self._nodes, self._ids, timeout_s=self._settings.deadline)
            reply = await self._nodes.call(node, call, lane=_LANE)
            answers = produce_answers(reply, self._nodes, self._ids)
        except LogUnavailable:
            pass  # every lane is tried again, see below
        except LogError as error:
            for lane, batch in batches:
                if lane.sending is batch:
                    batch.doubtful = doubted[lane]
                    self._give_up(lane, batch, error)
        finally:
            self._requests[node] -= 1
        for lane, batch in batches:
            if lane.sending is batch:
                self._answered(lane, batch, answers.get((lane.topic, lane.partition)), doubted)
        self._pump_soon()
        self._settle()

    def _answered(
        self,
        lane: Lane,
        batch: Sending,
        answer: Answer | None,
        doubted: Mapping[Lane, bool],
    ) -> None:
        if answer is None:
            self._stall(lane)
            return
        error, base, time_ms = answer
        if error == codes.NONE:
            self._appended(lane, batch, base, time_ms)
            return
        if error not in codes.MAYBE_APPENDED:
            batch.doubtful = doubted[lane]
        if error in codes.SEQUENCE_LOST:
            batch.sequence_lost = True
            self._lose(batch.producer)
        elif error in codes.NOT_OUR_TOPIC or error in codes.TRY_AGAIN:
            self._stall(lane)
        elif error in (codes.MESSAGE_TOO_LARGE, codes.BATCH_TOO_LARGE):
            self._give_up(lane, batch, RecordTooLarge("Kafka's max.message.bytes is too small"))
        elif error == codes.DUPLICATE_SEQUENCE:
            batch.doubtful = True
            self._give_up(lane, batch, OutcomeUnknown("Kafka had it before, and forgot where"))
        else:
            refusal = LogUnavailable(f"Kafka refuses to append: {codes.name_of(error)}")
            self._give_up(lane, batch, refusal)

    def _appended(self, lane: Lane, batch: Sending, base: int, time_ms: int) -> None:
        lane.answered()
        self.worked = True
        counts = self.statistics
        counts.in_flight -= len(batch.waiting)
        counts.appended += len(batch.waiting)
        counts.batches += 1
        for offset, (done, key, value, _) in enumerate(batch.waiting, base):
            counts.appended_bytes += len(key or b"") + len(value or b"")
            if not done.done():  # else its caller was cancelled
                done.set_result(Appended(offset, time_ms))
        if lane.waiting:
            self._ready[lane] = None

    # Failing and coming back

    def _stall(self, lane: Lane) -> None:
        """Try a lane again once the leaders were asked for anew."""
        self._ready.pop(lane, None)
        self._stalled.add(lane)
        self.statistics.retries += lane.sending is not None
        if self._looking is None or self._looking.done():
            self._looking = self._loop.create_task(self._look_again(), name="kafka-look")

    async def _look_again(self) -> None:
        await asyncio.sleep(RETRY_S)
        with contextlib.suppress(LogError):  # whatever it is, deadlines hold
            await self._check()
        for lane in self._stalled:
            self._ready[lane] = None
        self._stalled.clear()
        self._pump_soon()

    def _lose(self, producer: Producer) -> None:
        """Take another producer id, if this is still the one in use."""
        if producer == self._producer:
            self._producer = None
        self._renew()

    def _renew(self) -> None:
        if self._renewing is None or self._renewing.done():
            self._renewing = self._loop.create_task(self._keep_renewing(), name="kafka-renew")

    async def _keep_renewing(self) -> None:
        while self._producer is None:
            try:
                self._producer = await self._new_producer()
            except LogError:
                await asyncio.sleep(RETRY_S)
        for lane in self._lanes.values():
            if lane.sending is not None and lane.sending.sequence_lost:
                lane.begin_again(self._producer, now_ms=self._clock.wall_ms())
                self.statistics.retries += 1
                self._ready[lane] = None
        self._pump_soon()

    async def _new_producer(self) -> Producer:
        producer = await new_producer(self._nodes, timeout_s=self._settings.deadline)
        self.statistics.producers += 1
        return producer

    def _sweep(self) -> None:
        """Give up what is past its deadline."""
        self._sweeping = None
        now = self._loop.time()
        for lane in self._lanes.values():
            late = 0
            while late < len(lane.waiting) and lane.waiting[late].expires <= now:
                late += 1
            if late:
                expired = [lane.waiting.popleft() for _ in range(late)]
                self._fail_waiting(lane, expired, LogUnavailable("Kafka does not take it in time"))
            batch = lane.sending
            if batch is not None and batch.expires <= now:
                unsent = LogUnavailable("Kafka could not be reached in time")
                unknown = OutcomeUnknown("Kafka did not acknowledge it in time")
                self._give_up(lane, batch, unknown if batch.doubtful else unsent)
        self._pump_soon()
        self._settle()
        if not self._idle.is_set():
            self._sweeping = self._loop.call_later(SWEEP_S, self._sweep)

    def _give_up(self, lane: Lane, batch: Sending, error: LogError) -> None:
        if batch.doubtful:
            if not isinstance(error, OutcomeUnknown):
                error = OutcomeUnknown(str(error))
            lane.abandon()
            self._lose(batch.producer)
        else:
            lane.refused()
        self._stalled.discard(lane)
        self.statistics.in_flight -= len(batch.waiting)
        self._fail(batch.waiting, error)
        if lane.waiting:
            self._ready[lane] = None

    def _fail_waiting(self, lane: Lane, waiting: Collection[Waiting], error: LogError) -> None:
        self.statistics.queue_depth -= len(waiting)
        self._waiting_bytes -= _size(waiting)
        self._fail(waiting, error)

    def _fail(self, waiting: Collection[Waiting], error: LogError) -> None:
        self.worked = False
        self.statistics.failures += len(waiting)
        for done, *_ in waiting:
            if not done.done():
                # One each: a shared exception would collect the tracebacks of all callers.
                done.set_exception(type(error)(*error.args))

    def _settle(self) -> None:
        if not self.statistics.queue_depth and not self.statistics.in_flight:
            self._idle.set()


def _size(waiting: Collection[Waiting]) -> int:
    return sum(_RECORD_BYTES + len(key or b"") + len(value or b"") for _, key, value, _ in waiting)
