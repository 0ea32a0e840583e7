"""A session with Cassandra of the bench's own."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from groundswell.contract.settings import CassandraSettings


@contextmanager
def reading(env: Mapping[str, str]) -> Iterator[Any]:
    """Yield a session in the keyspace that these variables name."""
    # Imported here: a bench of the embedded engines needs no driver.
    from groundswell.persist.cassandra_session import connect

    settings = CassandraSettings(
        hosts=tuple(env["GROUNDSWELL_CASSANDRA_HOSTS"].split(",")),
        port=int(env.get("GROUNDSWELL_CASSANDRA_PORT") or 9042),
        keyspace=env["GROUNDSWELL_CASSANDRA_KEYSPACE"],
    )
    cluster, session = connect(settings, keyspace=settings.keyspace)
    try:
        yield session
    finally:
        cluster.shutdown()
