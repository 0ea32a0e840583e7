"""Topics, a keyspace, a database and cache keys of one run, made before it and removed after it."""

import asyncio
import logging
import os
import secrets
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

from groundswell.bench.keyspace import reading
from groundswell.bench.native_tools import ToolFailed
from groundswell.bench.program import groundswell_program

MIGRATE_TIME = 120.0  # seconds
_log = logging.getLogger(__name__)


@contextmanager
def namespace(*, partitions: int) -> Iterator[dict[str, str]]:
    """Yield the environment variables by which a process works in a new, migrated namespace.

    Raises:
        ToolFailed: an engine refused.
    """
    name = f"bench{secrets.token_hex(4)}"
    url = os.environ["GROUNDSWELL_ACCOUNTS_URL"]
    variables = {
        "GROUNDSWELL_LOG_ENGINE": "kafka",
        "GROUNDSWELL_STORE_ENGINE": "cassandra",
        "GROUNDSWELL_CACHE_ENGINE": "redis",
        "GROUNDSWELL_KAFKA_PREFIX": f"{name}.",
        "GROUNDSWELL_KAFKA_PARTITIONS": str(partitions),
        "GROUNDSWELL_CASSANDRA_KEYSPACE": name,
        "GROUNDSWELL_ACCOUNTS_URL": urlsplit(url)._replace(path=f"/{name}").geturl(),
        "GROUNDSWELL_REDIS_PREFIX": f"{name}:",
        "GROUNDSWELL_AUTH_SECRET": secrets.token_hex(24),
        "GROUNDSWELL_IDS_SECRET": secrets.token_hex(24),
    }
    with ExitStack() as stack:
        stack.callback(_each, [lambda: _drop_database(url, name), lambda: _drop_keyspace(name)])
        stack.callback(_each, [lambda: _delete_topics(f"{name}."), lambda: _delete_keys(name)])
        asyncio.run(_execute(url, f'CREATE DATABASE "{name}"'))
        _migrate(variables)
        yield variables


def _migrate(variables: dict[str, str]) -> None:
    done = subprocess.run(  # noqa: S603 - our own command, no shell
        [str(groundswell_program()), "migrate"],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=MIGRATE_TIME,
        check=False,
    )
    if done.returncode != 0:
        raise ToolFailed(f"groundswell migrate: {done.stdout}{done.stderr}")


def _each(steps: list[Callable[[], None]]) -> None:
    """Take all steps; one that fails leaves something behind, and says what."""
    for step in steps:
        try:
            step()
        except Exception as error:  # noqa: BLE001 - the figures are there, whatever cleaning met
            _log.warning("something of the run is left behind", exc_info=error)


def _drop_database(url: str, name: str) -> None:
    asyncio.run(_execute(url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))


async def _execute(url: str, statement: str) -> None:
    import asyncpg  # type: ignore[import-untyped]  # it ships no types

    try:
        connection = await asyncpg.connect(url)
    except OSError as error:
        raise ToolFailed(f"PostgreSQL: {error}") from error
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def _drop_keyspace(name: str) -> None:
    with reading({**os.environ, "GROUNDSWELL_CASSANDRA_KEYSPACE": name}) as session:
        session.execute(f"DROP KEYSPACE IF EXISTS {name}", timeout=30.0)


def _delete_topics(prefix: str) -> None:
    asyncio.run(_delete_topics_with(prefix))


async def _delete_topics_with(prefix: str) -> None:
    from aiokafka.admin import AIOKafkaAdminClient  # type: ignore[import-untyped]  # no types

    admin = AIOKafkaAdminClient(bootstrap_servers=os.environ["GROUNDSWELL_KAFKA_SERVERS"])
    await admin.start()
    try:
        topics = [topic for topic in await admin.list_topics() if topic.startswith(prefix)]
        if topics:
            await admin.delete_topics(topics)
    finally:
        await admin.close()


def _delete_keys(name: str) -> None:
    import redis

    with redis.Redis.from_url(os.environ["GROUNDSWELL_REDIS_URL"]) as cache:
        for key in cache.scan_iter(f"{name}:*", count=1000):
            cache.delete(key)
