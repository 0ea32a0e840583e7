"""Keyspaces of tests' own in the Cassandra that the environment names."""

import asyncio
import os
import secrets
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from groundswell.contract.settings import CassandraSettings
from groundswell.persist.cassandra_schema import migrate_store
from groundswell.persist.cassandra_session import connect
from groundswell.persist.cassandra_store import CassandraStore

EPOCH = "0123456789abcdef"


def settings_of_run(**changes: Any) -> CassandraSettings:
    """Return where Cassandra is, with a new keyspace's name; skips the test where there is none."""
    hosts = os.environ.get("GROUNDSWELL_CASSANDRA_HOSTS")
    if not hosts:
        pytest.skip("GROUNDSWELL_CASSANDRA_HOSTS is not set; `make test-stack` sets it")
    options: dict[str, Any] = {
        "hosts": tuple(hosts.split(",")),
        "port": int(os.environ.get("GROUNDSWELL_CASSANDRA_PORT", "9042")),
        "keyspace": f"test_{secrets.token_hex(6)}",
        "replication": 1,
        "timeout": 20.0,  # a shared machine may pause for long
    }
    return CassandraSettings(**(options | changes))


class CassandraKeyspace:
    """A keyspace with the tables; a test takes a generation of its own instead of new tables."""

    def __init__(self, settings: CassandraSettings) -> None:
        self.settings = settings
        self._generations = 0

    def next_generation(self) -> int:
        """Return a generation whose rows nobody has written yet."""
        self._generations += 1
        return self._generations

    def store(self, *, generation: int, bucket_shift: int) -> CassandraStore:
        """Return a store, not started."""
        settings = replace(self.settings, bucket_bits=bucket_shift)
        return CassandraStore(settings, generation=generation, log_epoch=EPOCH)


@contextmanager
def new_keyspace() -> Iterator[CassandraKeyspace]:
    """Make a keyspace, and drop it afterwards."""
    settings = settings_of_run()
    in_thread(migrate_store(settings))
    try:
        yield CassandraKeyspace(settings)
    finally:
        drop(settings)


def in_thread(work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine to its end, beside whatever loop the tests have."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work).result()


def drop(settings: CassandraSettings) -> None:
    """Drop the keyspace of these settings."""
    cluster, session = connect(settings, keyspace=None)
    session.execute(f"DROP KEYSPACE IF EXISTS {settings.keyspace}", timeout=60)
    cluster.shutdown()
