"""The gate on the embedded engines, across a restart of the process."""

from pathlib import Path
from typing import Any

import pytest

from groundswell.cache.memory import MemoryCache
from groundswell.contract.events import Event, encode
from groundswell.contract.partition import key_hash64, partition_of
from groundswell.contract.ports.log import Topic
from groundswell.contract.problems import Refused
from groundswell.ingest.append import Appender
from groundswell.ingest.gate import Gate
from groundswell.ingest.restore import restore_claims
from groundswell.log.sqlite_log import SqliteLog


class Process:
    """A gate with a log of its own in `folder` and a cache that forgets."""

    def __init__(self, world: Any, folder: Path) -> None:
        self.world = world
        self.log = SqliteLog(folder / "log.db", clock=world.clock)
        self.cache = MemoryCache(clock=world.clock)
        self.gate: Gate = world.make_gate(
            log=self.log, cache=self.cache, appender=Appender(self.log, clock=world.clock)
        )

    async def __aenter__(self) -> "Process":
        await self.log.start()
        self.restored = await restore_claims(
            self.log, self.cache.restore_claim, clock=self.world.clock
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.log.close()

    async def post(self, text: str, ref: str | None = None) -> Any:
        return await self.gate.post_comment(
            "v1", text, author=self.world.claims(), origin=self.world.origin, ref=ref
        )


async def test_a_retry_after_a_restart_gets_the_same_answer(world: Any, tmp_path: Path) -> None:
    """Id, time and position: the log remembers what the cache forgot."""
    async with Process(world, tmp_path) as process:
        first = await process.post(" he\u0301llo ", ref="c1")
        await process.post("without a key")
    world.clock.advance(300)
    async with Process(world, tmp_path) as process:
        assert process.restored == 1
        assert await process.post(" he\u0301llo ", ref="c1") == first
        with pytest.raises(Refused) as caught:
            await process.post("other", ref="c1")
        assert caught.value.code == "key_reused"


async def test_a_key_stands_for_ten_minutes(world: Any, tmp_path: Path) -> None:
    """Also when counted from the log."""
    async with Process(world, tmp_path) as process:
        first = await process.post("hello", ref="c1")
    world.clock.advance(601)
    async with Process(world, tmp_path) as process:
        assert process.restored == 0
        assert (await process.post("hello", ref="c1")).comment_id != first.comment_id


async def test_records_that_are_no_comments_are_passed_over(world: Any, tmp_path: Path) -> None:
    """A damaged record or a deletion keeps no process from starting."""
    async with Process(world, tmp_path) as process:
        partition = partition_of("v1", process.log.partitions(Topic.EVENTS))
        await process.log.append(Topic.EVENTS, partition, b"\xc1 damaged")
        key_hash = key_hash64("v1", "mo", "delete/x")
        deletion = Event(1, 2, "v1", "x", "mo", 0, None, key_hash, 0, b'{"type":"deleted"}')
        await process.log.append(Topic.EVENTS, partition, encode(deletion))
        await process.post("hello", ref="c1")
    async with Process(world, tmp_path) as process:
        assert process.restored == 1
