"""The tables in Cassandra, made by `groundswell migrate`; see docs/decisions/0008."""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import structlog

from groundswell.contract.ports.store import StoreMismatch
from groundswell.contract.settings import CassandraSettings
from groundswell.persist.cassandra_session import connect, unavailable

_log = structlog.get_logger("groundswell.persist")

LAYOUT = 1  # of the tables; a program refuses a keyspace of another one

_KEYSPACE = re.compile(r"[a-z][a-z0-9_]{0,47}")

# No table has row deletes, NULLs or counters, so there is nothing that compaction must wait for,
# and which strategy compacts them is the operator's choice.
_TABLES = (
    # Which logs the rows came from, all in one partition.
    """CREATE TABLE IF NOT EXISTS logs (
        layout int, generation int, log_epoch text, bucket_shift int,
        PRIMARY KEY (layout, generation))""",
    """CREATE TABLE IF NOT EXISTS applied (
        generation int, projection text, partition int, "offset" bigint,
        PRIMARY KEY ((generation, projection, partition)))""",
    # deleted: absent, or true and public_json is empty.
    """CREATE TABLE IF NOT EXISTS comments (
        video_id text, generation int, bucket bigint, "offset" bigint, append_ms bigint,
        comment_id text, parent_id text, public_json blob, deleted boolean,
        PRIMARY KEY ((video_id, generation, bucket), "offset"))""",
    """CREATE TABLE IF NOT EXISTS video_buckets (
        video_id text, generation int, bucket bigint, first_append_ms bigint,
        PRIMARY KEY ((video_id, generation), bucket))""",
    # A reply's second copy, beside its sisters.
    """CREATE TABLE IF NOT EXISTS replies (
        video_id text, parent_id text, generation int, bucket bigint, "offset" bigint,
        append_ms bigint, comment_id text, public_json blob, deleted boolean,
        PRIMARY KEY ((video_id, parent_id, generation, bucket), "offset"))""",
    """CREATE TABLE IF NOT EXISTS reply_buckets (
        video_id text, parent_id text, generation int, bucket bigint, first_append_ms bigint,
        PRIMARY KEY ((video_id, parent_id, generation), bucket))""",
    # Where the comments are that a deletion would not find by the time in their id.
    """CREATE TABLE IF NOT EXISTS late_comments (
        video_id text, generation int, bucket int, comment_id text, "offset" bigint,
        parent_id text,
        PRIMARY KEY ((video_id, generation, bucket), comment_id, "offset"))""",
    """CREATE TABLE IF NOT EXISTS reactions (
        generation int, video_id text, bucket int, slot int, comment_id text, user_id text,
        code tinyint, "offset" bigint,
        PRIMARY KEY ((generation, video_id, bucket, slot), comment_id, user_id))""",
    # counts: a JSON array in the order of contract/reactions.py.
    """CREATE TABLE IF NOT EXISTS totals (
        generation int, video_id text, bucket int, comment_id text, counts text, "offset" bigint,
        PRIMARY KEY ((generation, video_id, bucket), comment_id))""",
    """CREATE TABLE IF NOT EXISTS hearts (
        generation int, video_id text, source int, counts text, "offset" bigint,
        PRIMARY KEY ((generation, video_id), source))""",
)


async def migrate_store(settings: CassandraSettings) -> None:
    """Make the keyspace and the tables that are not there; returns when all nodes agree on them.

    Raises `StoreUnavailable` (unreachable, refused credentials or rights), and `StoreMismatch` for
    settings that cannot work.
    """
    if _KEYSPACE.fullmatch(settings.keyspace) is None:
        raise StoreMismatch(
            f"cassandra.keyspace {settings.keyspace!r} is not a name of up to 48 small letters, "
            f"digits and _"
        )
    await asyncio.to_thread(_migrate, settings)


def _migrate(settings: CassandraSettings) -> None:
    # Through any node, so that a wrong datacenter can be told from none at all.
    cluster, session = connect(replace(settings, datacenter=""), keyspace=None)
    try:
        # The driver returns from each change when all nodes that are up agree on the schema.
        for statement in _statements(settings, _datacenter(cluster, settings)):
            session.execute(statement)
    except StoreMismatch:
        raise
    except Exception as error:
        raise unavailable(error, "make the tables") from error
    finally:
        cluster.shutdown()


def _statements(settings: CassandraSettings, datacenter: str) -> Iterator[str]:
    yield (
        f"CREATE KEYSPACE IF NOT EXISTS {settings.keyspace} WITH replication = "
        f"{{'class': 'NetworkTopologyStrategy', '{datacenter}': {settings.replication}}}"
    )
    for table in _TABLES:
        yield table.replace("IF NOT EXISTS ", f"IF NOT EXISTS {settings.keyspace}.")


def _datacenter(cluster: Any, settings: CassandraSettings) -> str:
    hosts = list(cluster.metadata.all_hosts())
    datacenter = settings.datacenter or min(host.datacenter for host in hosts if host.is_up)
    nodes = sum(host.datacenter == datacenter for host in hosts)
    if not nodes:
        there = ", ".join(sorted({host.datacenter for host in hosts}))
        raise StoreMismatch(
            f"cassandra.datacenter {datacenter!r} has no node; the cluster has: {there}"
        )
    if nodes < settings.replication:
        _log.warning(
            "fewer nodes than replicas: with most replicas missing nothing can be written",
            datacenter=datacenter,
            nodes=nodes,
            replication=settings.replication,
        )
    return datacenter
