"""Bans in memory: what is read before a process is ready, and what keeps it true afterwards."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundswell.contract.control import EVERY_VIDEO, Ban, Binding, ban_key
from groundswell.contract.events import VERSION, encode
from groundswell.contract.ports.bans import Bans
from groundswell.contract.ports.log import (
    Batch,
    Bounds,
    LogUnavailable,
    OffsetOutOfRange,
    Record,
    Topic,
)
from groundswell.log import control as module
from groundswell.log.control import Control
from tests.clocks import START_MS, FakeClock

DEADLINE_SECONDS = 10.0
Wait = Callable[[Callable[[], object]], Awaitable[None]]


def ban(user: str, video: str = "v1", *, until_ms: int | None = None, **facts: Any) -> Ban:
    return Ban(VERSION, video, user, until_ms, "mo", START_MS, **facts)


class MemoryLog:
    """`control` in a list; offsets that are missing were compacted away."""

    def __init__(self) -> None:
        self.records: dict[int, Record] = {}
        self.first = self.end = 0
        self.failures: deque[Exception] = deque()  # raised by the next reads
        self.grown = asyncio.Event()

    def put(self, key: bytes | None, value: bytes | None) -> None:
        self.records[self.end] = Record(self.end, START_MS, key, value)
        self.end += 1
        self.grown.set()

    def put_ban(self, record: Ban) -> None:
        self.put(record.key(), encode(record))

    def compact(self) -> None:
        last = {record.key: record for record in self.records.values()}
        self.records = {record.offset: record for record in last.values()}

    async def bounds(self, topic: Topic, partition: int) -> Bounds:
        return Bounds(self.first, self.end)

    async def read(self, topic: Topic, partition: int, offset: int) -> Batch:
        """Return two offsets at most, whatever is left of them."""
        if self.failures:
            raise self.failures.popleft()
        end = min(offset + 2, self.end)
        found = [self.records[n] for n in range(offset, end) if n in self.records]
        return Batch(topic, partition, found, end)

    def tail(self) -> "MemoryTail":
        return MemoryTail(self)


class MemoryTail:
    """Follows a `MemoryLog`."""

    def __init__(self, log: MemoryLog) -> None:
        self._log = log
        self._offset = 0

    def follow(self, topic: Topic, partition: int, offset: int) -> None:
        self._offset = offset

    async def next_batches(self) -> list[Batch]:
        while self._offset == self._log.end and not self._log.failures:
            self._log.grown.clear()
            await self._log.grown.wait()
        batch = await self._log.read(Topic.CONTROL, 0, self._offset)
        self._offset = batch.end
        return [batch]

    async def close(self) -> None:
        return


@pytest.fixture(name="log")
def fixture_log() -> MemoryLog:
    """A log that fails when it is told to."""
    return MemoryLog()


@pytest.fixture(name="control")
async def fixture_control(log: Any, clock: FakeClock) -> AsyncIterator[Control]:
    """Not started yet."""
    control = Control(log, clock=clock)
    yield control
    await control.close()


@pytest.fixture(name="wait_until")
def fixture_wait_until(monkeypatch: pytest.MonkeyPatch) -> Wait:
    """Wait for a condition, at most until the deadline; failures are retried at once."""
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.001)

    async def wait(condition: Callable[[], object]) -> None:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not condition():  # noqa: ASYNC110  any condition, not one with an event
                await asyncio.sleep(0.001)

    return wait


async def test_everything_is_known_before_the_start_returns(log: MemoryLog, control: Control):
    """The last record of a subject holds, a tombstone lifts it."""
    log.put_ban(ban("ada"))
    log.put_ban(ban("bob"))
    log.put(ban_key("v1", "bob"), None)
    log.put_ban(ban("cid", reason="one"))
    log.put_ban(ban("cid", reason="two"))
    await control.start()
    bans: Bans = control
    assert bans.banned("ada", "v1") == ban("ada")
    assert bans.banned("ada", "v2") is None
    assert bans.banned("bob", "v1") is None
    assert bans.banned("cid", "v1") == ban("cid", reason="two")
    assert len(control) == 2


async def test_a_ban_on_every_video_holds_on_each(log: MemoryLog, control: Control):
    """Lifting the one on a video does not lift it."""
    log.put_ban(ban("ada", EVERY_VIDEO))
    log.put_ban(ban("ada", "v1", reason="here"))
    log.put(ban_key("v2", "ada"), None)
    await control.start()
    assert control.banned("ada", "v1") == ban("ada", "v1", reason="here")
    assert control.banned("ada", "v2") == ban("ada", EVERY_VIDEO)


async def test_gaps_of_compaction_are_passed(log: MemoryLog, control: Control, wait_until: Wait):
    """Batches without a record, at the start and later."""
    for _ in range(5):
        log.put_ban(ban("ada"))
    log.put_ban(ban("bob"))
    log.compact()
    await control.start()
    assert len(control) == 2
    log.end += 7
    log.put_ban(ban("cid"))
    await wait_until(lambda: control.banned("cid", "v1"))


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["", "v", "w"]), st.booleans())))
@settings(max_examples=30)
def test_a_compacted_log_says_the_same(steps: list[tuple[str, str, bool]]):
    """What was replaced or lifted may be gone or not."""

    async def state_of(log: Any) -> set[tuple[str, str]]:
        control = Control(log, clock=FakeClock())
        await control.start()
        await control.close()
        found = {(user, v) for user in "abc" for v in ("v", "w") if control.banned(user, v)}
        assert len(control) == sum(len(control.bans_of(v)) for v in ("", "v", "w"))
        return found

    async def compare() -> None:
        log = MemoryLog()
        expected: set[tuple[str, str]] = set()
        for user, video, banned in steps:
            record = ban(user, video)
            log.put(record.key(), encode(record) if banned else None)
            (expected.add if banned else expected.discard)((user, video))
        whole = await state_of(log)
        log.compact()
        assert await state_of(log) == whole
        assert whole == {
            (user, v) for user in "abc" for v in ("v", "w") if {(user, v), (user, "")} & expected
        }

    asyncio.run(compare())


async def test_new_bans_are_told_and_nothing_else(
    log: MemoryLog, control: Control, wait_until: Wait
):
    """Not what stood before, not a lifting, not the same ban again."""
    told: list[str] = []
    log.put_ban(ban("ada"))
    await control.start()
    control.listen(lambda users: 1 / 0)  # its failure is its own
    stop = control.listen(told.extend)
    log.put_ban(ban("bob"))
    await wait_until(lambda: told == ["bob"])
    log.put(ban_key("v1", "bob"), None)
    log.put_ban(ban("ada"))
    log.put_ban(ban("cid"))
    await wait_until(lambda: control.banned("cid", "v1"))
    assert told == ["bob", "cid"]
    stop()
    log.put_ban(ban("dan"))
    await wait_until(lambda: control.banned("dan", "v1"))
    assert told == ["bob", "cid"]


async def test_a_ban_runs_out_and_is_forgotten(
    log: MemoryLog, control: Control, clock: FakeClock, wait_until: Wait
):
    """Whoever asks looks at the time; the next record lets go of the memory."""
    log.put_ban(ban("old", until_ms=START_MS))
    log.put_ban(ban("ada", until_ms=START_MS + 10_000))
    log.put_ban(ban("bob", until_ms=START_MS + 10_000))
    log.put_ban(ban("bob", until_ms=START_MS + 90_000))
    await control.start()
    assert len(control) == 2
    assert control.banned("old", "v1") is None
    clock.advance(9.999)
    assert control.banned("ada", "v1")
    clock.advance(0.001)
    assert control.banned("ada", "v1") is None
    assert [found.user_id for found in control.bans_of("v1")] == ["bob"]
    log.put_ban(ban("cid"))
    await wait_until(lambda: control.banned("cid", "v1"))
    assert len(control) == 2
    assert control.banned("bob", "v1")


async def test_a_ban_that_is_renewed_for_ever_takes_no_more_memory(
    log: MemoryLog, control: Control, monkeypatch: pytest.MonkeyPatch
):
    """The ends that no longer count are swept out."""
    monkeypatch.setattr(module, "SPARE_ENDS", 10)
    for n in range(500):
        log.put_ban(ban("ada", until_ms=START_MS + 1_000_000 + n))
    await control.start()
    assert len(control) == 1
    assert len(control._ends) <= 10 + 2 + 2  # a batch has two records


async def test_records_that_cannot_be_read_are_skipped(
    log: MemoryLog, control: Control, capsys: pytest.CaptureFixture[str]
):
    """A later program's kinds, nonsense, and what is the log's own affair."""
    log.put_ban(ban("ada"))
    log.put(b"x", b"nonsense")
    log.put(None, None)
    log.put(b"\xff", None)
    log.put(b"ban", None)
    log.put(b"binding", encode(Binding(VERSION, 1, {"events": "id"})))
    log.put(ban_key("v1", "bob"), encode(Ban(VERSION + 1, "v1", "bob", None, "mo", START_MS)))
    log.put_ban(ban("cid"))
    await control.start()
    figures = control.statistics()
    assert (figures.bans, figures.records, figures.unreadable) == (2, 8, 2)
    assert capsys.readouterr().out.count("control record skipped") == 2


async def test_a_start_that_failed_may_be_tried_again(log: MemoryLog, control: Control):
    """The log was away; what was read twice counts once."""
    for user in ("ada", "bob", "cid"):
        log.put_ban(ban(user))
    log.failures.append(LogUnavailable("down"))
    with pytest.raises(LogUnavailable):
        await control.start()
    await control.start()
    assert len(control) == 3


async def test_a_start_goes_on_where_the_log_begins_now(log: MemoryLog, control: Control):
    """Its first records went between two questions."""
    for user in ("ada", "bob", "cid"):
        log.put_ban(ban(user))
    log.failures.append(OffsetOutOfRange(Topic.CONTROL, 0, 0, Bounds(2, 3)))
    await control.start()
    assert [found.user_id for found in control.bans_of("v1")] == ["cid"]


@pytest.mark.parametrize("failure", [LogUnavailable("down"), RuntimeError("surprise")])
async def test_what_is_known_outlives_the_log(
    log: MemoryLog,
    control: Control,
    wait_until: Wait,
    failure: Exception,
    capsys: pytest.CaptureFixture[str],
):
    """And once it is back, the rest follows; an outage is told once."""
    log.put_ban(ban("ada"))
    await control.start()
    log.failures += [failure] * 3
    log.grown.set()
    await wait_until(lambda: control.statistics().failures == 3)
    assert control.banned("ada", "v1")
    log.put_ban(ban("bob"))
    await wait_until(lambda: control.banned("bob", "v1"))
    if isinstance(failure, LogUnavailable):
        assert capsys.readouterr().out.count("cannot be read") == 1


async def test_a_log_that_was_cut_is_read_from_its_beginning(
    log: MemoryLog, control: Control, wait_until: Wait
):
    """`control` may be made anew: nothing that stands in it may be passed over."""
    log.put_ban(ban("ada"))
    log.put_ban(ban("bob"))
    await control.start()
    log.records.clear()
    log.end = 0
    log.put_ban(ban("cid"))
    log.failures.append(OffsetOutOfRange(Topic.CONTROL, 0, 2, Bounds(0, 1)))
    log.grown.set()
    await wait_until(lambda: control.banned("cid", "v1"))
    assert len(control) == 3


async def test_bans_are_listed_by_user_and_page(log: MemoryLog, control: Control):
    """Those of exactly this video."""
    for user in ("d", "a", "c", "b"):
        log.put_ban(ban(user))
    log.put_ban(ban("e", "v2"))
    log.put_ban(ban("f", EVERY_VIDEO))
    await control.start()

    def users(video: str, **page: Any) -> list[str]:
        return [found.user_id for found in control.bans_of(video, **page)]

    assert users("v1") == ["a", "b", "c", "d"]
    assert users("v1", limit=2) == ["a", "b"]
    assert users("v1", after="b", limit=2) == ["c", "d"]
    assert users(EVERY_VIDEO) == ["f"]
    assert users("v3") == []


async def test_on_the_embedded_log_a_new_process_knows_all_bans(
    folder: Any, clock: FakeClock, wait_until: Wait
):
    """Before it is ready; the old one learned them one by one."""
    log = await folder.open()
    first, second = Control(log, clock=clock), Control(log, clock=clock)
    try:
        await first.start()
        for record in (ban("ada", reason="one"), ban("bob"), ban("ada", reason="two")):
            await log.append(Topic.CONTROL, 0, encode(record), key=record.key())
        await log.append(Topic.CONTROL, 0, None, key=ban_key("v1", "bob"))
        await second.start()
        assert second.banned("ada", "v1") == ban("ada", reason="two")
        assert second.banned("bob", "v1") is None
        await wait_until(lambda: first.statistics().records == 4)
        assert first.banned("ada", "v1") == second.banned("ada", "v1")
        assert len(first) == len(second) == 1
    finally:
        await first.close()
        await second.close()
