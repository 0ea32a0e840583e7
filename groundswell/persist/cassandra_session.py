"""The connection to Cassandra: made and closed in threads, statements prepared once.

While Cassandra is away the driver tries again by itself, and every call fails within
`cassandra.timeout`.
"""

import asyncio
import logging
import ssl
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

# The driver ships no types.
from cassandra import AuthenticationFailed, ConsistencyLevel, InvalidRequest, ProtocolVersion  # type: ignore[import-untyped]
from cassandra.auth import PlainTextAuthProvider  # type: ignore[import-untyped]
from cassandra.cluster import (  # type: ignore[import-untyped]
    EXEC_PROFILE_DEFAULT,
    Cluster,
    ExecutionProfile,
    NoHostAvailable,
    Session,
)
from cassandra.io.libevreactor import LibevConnection  # type: ignore[import-untyped]
from cassandra.policies import (  # type: ignore[import-untyped]
    ConstantReconnectionPolicy,
    ConstantSpeculativeExecutionPolicy,
    DCAwareRoundRobinPolicy,
    RetryPolicy,
    TokenAwarePolicy,
)
from cassandra.query import (  # type: ignore[import-untyped]
    BatchStatement,
    BatchType,
    BoundStatement,
    tuple_factory,
)

from groundswell.contract.ports.store import StoreUnavailable
from groundswell.contract.settings import CassandraSettings

Row = tuple[Any, ...]
Statement = Any  # of the driver: bound, or a batch

# What a reader sees it sees for good, whichever node answers: reads and writes by most replicas
# of the datacenter overlap in one. ONE would be quicker and could miss an acknowledged deletion.
CONSISTENCY = ConsistencyLevel.LOCAL_QUORUM
# V5 of the protocol frames and checksums every message in Python, for nothing that we use.
PROTOCOL = ProtocolVersion.V4
# Execution profiles.
DEFAULT = EXEC_PROFILE_DEFAULT
PAGES = "pages"  # reads with a LIMIT

_RECONNECT_S = 1.0
_HEARTBEAT_S = 5  # a node that hangs is noticed within two of them
_SPECULATE_S = 0.1  # far over the p99 of a healthy node: a second node is asked, first answer wins
_ROWS_A_BATCH = 100  # more makes no row cheaper; 50 costs 10 % more each
_ROWS_A_FETCH = 5000

# It repeats every failed reconnection, once a second and node; our callers say what fails.
logging.getLogger("cassandra").setLevel(logging.ERROR)


class _RetryIdempotent(RetryPolicy):  # type: ignore[misc]  # the driver has no types
    """Try once more, at another node if there is one: every statement of ours may run twice."""

    def on_read_timeout(self, *_: Any, retry_num: int = 0, **__: Any) -> tuple[int, None]:
        return self._once(retry_num)

    def on_write_timeout(self, *_: Any, retry_num: int = 0, **__: Any) -> tuple[int, None]:
        return self._once(retry_num)

    def _once(self, retry_num: int) -> tuple[int, None]:
        return (self.RETHROW if retry_num else self.RETRY_NEXT_HOST), None


def connect(settings: CassandraSettings, *, keyspace: str | None) -> tuple[Cluster, Session]:
    """Connect; blocks. Raises `StoreUnavailable`; the caller must shut the cluster down."""
    cluster = None
    try:
        cluster = _cluster(settings)
        session = cluster.connect()
        if keyspace is not None:  # by itself: as part of `connect` its absence looks like no node
            session.set_keyspace(keyspace)
    except Exception as error:
        if cluster is not None:
            cluster.shutdown()
        raise unavailable(error, "connect") from error
    session.use_client_timestamp = False  # every write names its own
    session.default_fetch_size = _ROWS_A_FETCH
    return cluster, session


def unavailable(error: Exception, doing: str) -> StoreUnavailable:
    """Return what callers are told of a driver's error."""
    if isinstance(error, StoreUnavailable):
        return error
    if isinstance(error, InvalidRequest):  # there is no such keyspace, table or column
        return StoreUnavailable(f"{error}: run `groundswell migrate`")
    if not isinstance(error, NoHostAvailable):
        return StoreUnavailable(f"Cassandra could not {doing}: {error}")
    if not isinstance(error.errors, dict):  # reached, but of no use
        nodes = ", ".join(error.errors)
        return StoreUnavailable(
            f"Cassandra could not {doing}: none of {nodes} is up and in cassandra.datacenter"
        )
    reasons = list(error.errors.values())
    refused = [reason for reason in reasons if isinstance(reason, AuthenticationFailed)]
    if refused:
        return StoreUnavailable(f"Cassandra refused cassandra.user or password: {refused[0]}")
    tried = "; ".join(f"{host}: {reason}" for host, reason in error.errors.items())
    return StoreUnavailable(f"Cassandra could not {doing}: {tried or 'no node is up'}")


class CassandraSession:
    """A session with its prepared statements. Encoding methods may be called in any thread."""

    def __init__(self, settings: CassandraSettings, *, texts: Iterable[str]) -> None:
        self._settings = settings
        self._texts = tuple(texts)
        self._prepared: dict[str, Any] = {}
        self._cluster: Cluster | None = None
        self._closed = False
        self._session: Session | None = None

    async def connect(self) -> None:
        """Connect and prepare; raises `StoreUnavailable`."""
        try:
            await asyncio.to_thread(self._connect)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Let go; what is under way fails. Idempotent."""
        self._closed = True
        await asyncio.to_thread(self._shut_down)

    def send(self, statement: Statement, *, profile: object) -> Any:
        """Send a statement; returns the driver's future. May block for a moment."""
        if self._session is None:
            raise StoreUnavailable("store is not open")
        return self._session.execute_async(statement, execution_profile=profile)

    def bound(self, text: str, values: Sequence[bytes]) -> Statement:
        """Return one statement with values that are encoded already."""
        # The driver's own `bind` looks up a codec for each value: most of what a row costs.
        statement = BoundStatement(self._prepared[text])
        statement.values = values
        return statement

    def page(self, text: str, values: Sequence[bytes]) -> Statement:
        """Return a read with a LIMIT: answered at once, not in portions."""
        statement = self.bound(text, values)
        statement.fetch_size = None
        return statement

    def batches(self, text: str, rows: Sequence[Sequence[bytes]]) -> Iterator[Statement]:
        """Return statements that write these rows of one partition."""
        if len(rows) == 1:
            yield self.bound(text, rows[0])
            return
        left = iter(rows)
        while some := list(islice(left, _ROWS_A_BATCH)):
            batch = BatchStatement(batch_type=BatchType.UNLOGGED)
            batch.is_idempotent = True
            for row in some:
                batch.add(self.bound(text, row))
            yield batch

    def _connect(self) -> None:
        self._cluster, session = connect(self._settings, keyspace=self._settings.keyspace)
        try:
            for text in self._texts:
                prepared = session.prepare(text)
                prepared.is_idempotent = True
                self._prepared[text] = prepared
        except Exception as error:
            raise unavailable(error, "prepare") from error
        self._session = session
        if self._closed:  # while it was under way
            self._shut_down()

    def _shut_down(self) -> None:
        cluster, self._cluster = self._cluster, None
        if cluster is not None:
            cluster.shutdown()


def _cluster(settings: CassandraSettings) -> Cluster:
    login = None
    if settings.user:
        login = PlainTextAuthProvider(username=settings.user, password=settings.password)
    tls = ssl.create_default_context(cafile=settings.ca_file) if settings.ca_file else None
    return Cluster(
        list(settings.hosts),
        port=settings.port,
        protocol_version=PROTOCOL,
        connection_class=LibevConnection,
        auth_provider=login,
        ssl_context=tls,
        execution_profiles={
            DEFAULT: _profile(settings),
            PAGES: _profile(
                settings,
                speculative_execution_policy=ConstantSpeculativeExecutionPolicy(_SPECULATE_S, 1),
            ),
        },
        reconnection_policy=ConstantReconnectionPolicy(_RECONNECT_S, max_attempts=None),
        connect_timeout=settings.timeout,
        control_connection_timeout=settings.timeout,
        idle_heartbeat_interval=_HEARTBEAT_S,
        idle_heartbeat_timeout=_HEARTBEAT_S,
        compression=False,
    )


def _profile(settings: CassandraSettings, **more: Any) -> ExecutionProfile:
    return ExecutionProfile(
        load_balancing_policy=TokenAwarePolicy(
            DCAwareRoundRobinPolicy(local_dc=settings.datacenter)
        ),
        retry_policy=_RetryIdempotent(),
        consistency_level=CONSISTENCY,
        request_timeout=settings.timeout,
        row_factory=tuple_factory,
        **more,
    )
