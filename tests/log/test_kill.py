"""A process that is killed loses no record that it acknowledged."""

import asyncio
import sys

import pytest

from groundswell.contract.ports.log import Topic

WRITER = """
import asyncio, os, sys
from pathlib import Path
from groundswell.contract.clock import SystemClock
from groundswell.log import SqliteLog
from groundswell.contract.ports.log import Topic

async def append_for_ever(log, caller):
    n = 0
    while True:
        answer = await log.append(Topic.EVENTS, caller % 4, b"%d %d" % (caller, n))
        os.write(1, b"%d %d %d %d\\n" % (caller % 4, answer.offset, caller, n))
        n += 1

async def main():
    log = SqliteLog(Path(sys.argv[1]), clock=SystemClock(), partitions=4)
    await log.start()
    await asyncio.gather(*[append_for_ever(log, caller) for caller in range(16)])

asyncio.run(main())
"""


@pytest.mark.parametrize("acks", [1, 500, 3000])
async def test_killed_under_load_every_acknowledged_record_is_there(folder, acks):
    """SIGKILL at some moment: each printed answer names a record with exactly those bytes."""
    writer = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WRITER, str(folder.path), stdout=asyncio.subprocess.PIPE
    )
    lines = [await writer.stdout.readline() for _ in range(acks)]
    writer.kill()
    lines += (await writer.stdout.read()).splitlines(keepends=True)
    await writer.wait()

    log = await folder.open()
    found = {}
    for partition in range(4):
        offset, end = await log.bounds(Topic.EVENTS, partition)
        while offset < end:
            batch = await log.read(Topic.EVENTS, partition, offset)
            found |= {(partition, record.offset): record.value for record in batch.records}
            offset = batch.end
    whole = [line for line in lines if line.endswith(b"\n")]
    assert len(whole) >= acks
    for line in whole:
        partition, offset, caller, n = line.split()
        assert found[int(partition), int(offset)] == caller + b" " + n
    values = list(found.values())
    assert len(values) == len(set(values))
