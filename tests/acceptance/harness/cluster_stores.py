"""The cluster's engines: rows out of Cassandra itself, records out of Kafka itself."""

import json
import time
from collections.abc import Iterator
from typing import Any

import redis
from cassandra import DriverException
from cassandra.cluster import NoHostAvailable

from groundswell.contract.events import EventKind, UnreadableRecord, decode_event
from groundswell.contract.partition import partition_of
from groundswell.contract.ports.log import Topic
from groundswell.contract.reactions import counts_by_name
from tests.acceptance.harness.kafka_reader import KafkaReader
from tests.acceptance.harness.namespace import PARTITIONS, CassandraSession, Namespace
from tests.acceptance.harness.stores import StoredReactions, reason_of

BACK_WITHIN_S = 30.0
LAYOUT = 1
# Reactions are found by a scan: a check must not know by which rule their partitions are chosen.
REACTIONS = "SELECT comment_id, code FROM reactions WHERE video_id = %s ALLOW FILTERING"
TOTALS = "SELECT comment_id, counts FROM totals WHERE video_id = %s ALLOW FILTERING"
BUCKETS = "SELECT bucket FROM video_buckets WHERE video_id = %s AND generation = %s"
COMMENTS = (
    "SELECT public_json, deleted FROM comments"
    " WHERE video_id = %s AND generation = %s AND bucket = %s"
)
HEARTS = "SELECT counts FROM hearts WHERE generation = %s AND video_id = %s"
GENERATIONS = "SELECT generation FROM logs WHERE layout = %s"


class ClusterStores:
    """Cassandra and Kafka as they are, of one namespace. Methods block."""

    def __init__(self, namespace: Namespace) -> None:
        self._namespace = namespace
        self._cassandra: CassandraSession | None = None
        self._kafka = KafkaReader(namespace)

    def comments(self, video: str) -> list[tuple[str, str | None]]:
        """Return (comment id, ref) of a video's stored comments that are not deleted, in order."""
        rows = [json.loads(row) for row in self._stored(video)]
        return [(row["commentID"], row.get("ref")) for row in rows]

    def _stored(self, video: str) -> Iterator[bytes]:
        generation = self._generation()
        for (bucket,) in self._execute(BUCKETS, video, generation):
            for public_json, deleted in self._execute(COMMENTS, video, generation, bucket):
                if not deleted:
                    yield public_json

    def reactions(self, video: str) -> StoredReactions:
        """Return the totals of a video's comments, from the totals and from the rows."""
        found = StoredReactions()
        for comment_id, counts in self._execute(TOTALS, video):
            found.stated[comment_id] = counts_by_name(json.loads(counts))
        for comment_id, code in self._execute(REACTIONS, video):
            found.count(comment_id, code)
        return found

    def hearts(self, video: str) -> int:
        """Return how many hearts of a video the store has counted."""
        rows = self._execute(HEARTS, self._generation(), video)
        return sum(sum(json.loads(counts)) for (counts,) in rows)

    def logged(self, video: str) -> list[str]:
        """Return the ids of a video's comments in the log, in its order, duplicates included."""
        found = []
        for record in self._kafka.records(Topic.EVENTS, partition_of(video, PARTITIONS)):
            try:
                event = decode_event(record.value or b"")
            except UnreadableRecord:
                continue  # a test put it there
            if event.kind == EventKind.COMMENT and event.video_id == video:
                found.append(event.comment_id)
        return found

    def dead_letters(self) -> list[str]:
        """Return why records were put aside."""
        letters = self._kafka.records(Topic.DEAD_LETTERS, 0)
        return [reason_of(letter.value or b"") for letter in letters]

    def holds(self, text: bytes) -> list[str]:
        """Return which keys of the cache and tables of the store hold a text anywhere."""
        with redis.Redis.from_url(self._namespace.engines.redis_url) as cache:
            keys = cache.scan_iter(f"{self._namespace.prefix}*", count=1000)
            found = [key.decode() for key in keys if text in _value_of(cache, key)]
        for table in ("comments", "replies"):
            rows = self._execute(f"SELECT public_json FROM {table}")  # noqa: S608 - our own names
            found += [table for (public_json,) in rows if text in (public_json or b"")]
        return found

    def integrity(self) -> list[str]:
        """Return nothing: the engines cannot be asked."""
        return []

    def _generation(self) -> int:
        """Return the latest: what an earlier log left there belongs to nobody any more."""
        return max(generation for (generation,) in self._execute(GENERATIONS, LAYOUT))

    def _execute(self, query: str, *values: object) -> list[Any]:
        began = time.monotonic()
        while True:
            try:
                if self._cassandra is None:
                    self._cassandra = CassandraSession(self._namespace.engines)
                    self._cassandra.session.set_keyspace(self._namespace.keyspace)
                return list(self._cassandra.session.execute(query, values))
            except (NoHostAvailable, DriverException):
                # It was away: the driver would only look again after a while.
                self.close()
                if time.monotonic() - began > BACK_WITHIN_S:
                    raise

    def close(self) -> None:
        """Let go of Cassandra; the next question connects again."""
        if self._cassandra is not None:
            self._cassandra.close()
            self._cassandra = None


def _value_of(cache: "redis.Redis[bytes]", key: bytes) -> bytes:
    """Return all bytes of a value, whatever its type."""
    kind = cache.type(key)
    if kind == b"string":
        return cache.get(key) or b""
    if kind == b"hash":
        return b"".join(part for pair in cache.hgetall(key).items() for part in pair)
    if kind == b"zset":
        return b"".join(cache.zrange(key, 0, -1))
    if kind == b"list":
        return b"".join(cache.lrange(key, 0, -1))
    return b"".join(cache.smembers(key)) if kind == b"set" else b""
