"""The kernel says that fsync failed: nothing is acknowledged that is not on the disk."""

import asyncio
import shutil
import subprocess
import sys

import pytest

from groundswell.contract.ports.log import Topic

SHIM = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static int fails(void) { return access(getenv("FSYNC_FAILS"), F_OK) == 0; }

int fsync(int fd) {
    if (fails()) { errno = EIO; return -1; }
    return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd);
}

int fdatasync(int fd) {
    if (fails()) { errno = EIO; return -1; }
    return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(fd);
}
"""

WRITER = """
import asyncio, os, sys, time
from pathlib import Path
from groundswell.contract.clock import SystemClock
from groundswell.contract.ports.log import LogUnavailable, OutcomeUnknown, Topic
from groundswell.log import SqliteLog, writer

writer.RETRY_S = 0.02
fails = Path(os.environ["FSYNC_FAILS"])

async def attempt(log, n):
    try:
        answer = await log.append(Topic.EVENTS, 0, b"%d" % n)
    except (LogUnavailable, OutcomeUnknown) as error:
        print(n, type(error).__name__, log.writable(), flush=True)
    else:
        print(n, answer.offset, log.writable(), flush=True)

async def main():
    log = SqliteLog(Path(sys.argv[1]), clock=SystemClock(), partitions=4)
    await log.start()
    await attempt(log, 0)
    fails.touch()
    await attempt(log, 1)
    for _ in range(3):
        await attempt(log, 2)
    fails.unlink()
    while not log.writable():
        await asyncio.sleep(0.001)
    await attempt(log, 3)
    os.kill(os.getpid(), 9)

asyncio.run(main())
"""


@pytest.fixture
def shim(tmp_path):
    """A library that makes fsync fail while a file is there."""
    compiler = shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("needs a C compiler and LD_PRELOAD")
    source, library = tmp_path / "shim.c", tmp_path / "shim.so"
    source.write_text(SHIM)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return library


async def test_an_fsync_that_fails_acknowledges_nothing_until_the_file_is_sound(
    folder, shim, tmp_path
):
    """First the outcome is open, then appends are refused, then it goes on by itself."""
    writer = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        WRITER,
        str(folder.path),
        stdout=asyncio.subprocess.PIPE,
        env={"LD_PRELOAD": str(shim), "FSYNC_FAILS": str(tmp_path / "fails")},
    )
    async with asyncio.timeout(30):
        output, _ = await writer.communicate()
    lines = output.decode().splitlines()
    assert lines[:2] == ["0 0 True", "1 OutcomeUnknown False"]
    assert lines[2:5] == ["2 LogUnavailable False"] * 3
    number, offset, writable = lines[5].split()
    assert (number, writable) == ("3", "True")

    log = await folder.open()
    records = {r.offset: r.value for r in (await log.read(Topic.EVENTS, 0, 0)).records}
    assert records[0] == b"0"
    assert records[int(offset)] == b"3"
    assert b"2" not in records.values()
