"""The options of the engines: log, comment store, accounts, cache. See `settings.py`."""

from dataclasses import dataclass

from groundswell.contract.option import opt


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """The log."""

    engine: str = opt(
        "sqlite",
        choices=("sqlite", "kafka"),
        help="sqlite: a file in the data folder, for one process; kafka: see section kafka.",
    )
    retention: float = opt(
        72.0, unit="hours", at_least=1, help="How long records that every projection has are kept."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaSettings:
    """Kafka, where it is the log. `groundswell migrate` makes the topics."""

    servers: tuple[str, ...] = opt(
        ("127.0.0.1:9092",), at_least=1, help="Addresses to begin with, as host:port."
    )
    prefix: str = opt("groundswell.", help="What the names of topics and groups begin with.")
    partitions: int = opt(
        64,
        at_least=1,
        at_most=4096,
        help="Partitions of a topic; fixed once the topics are made. control has one.",
    )
    replication: int = opt(
        3, at_least=1, at_most=32, help="Replicas of a new topic; in production at least 3."
    )
    min_insync: int = opt(
        2,
        at_least=1,
        at_most=32,
        help="Replicas that must have a record before it is acknowledged, for a new topic.",
    )
    in_flight: int = opt(
        2000,
        at_least=1,
        help="Records that a process has sent and not heard of, at most; beyond it writes wait.",
    )
    deadline: float = opt(
        5.0,
        unit="seconds",
        at_least=0.1,
        at_most=60,
        help="Wait for an acknowledgement; then the outcome of the write is unknown.",
    )
    member: str = opt(
        "",
        help="Name of this process in its consumer groups, for static membership; unique, and the "
        "same after a restart. Empty: the host's name and the internal port, if that is not 0.",
    )
    security_protocol: str = opt(
        "PLAINTEXT",
        choices=("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"),
        help="How to talk to Kafka.",
    )
    sasl_mechanism: str = opt(
        "SCRAM-SHA-512",
        choices=("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"),
        help="How to log in where security_protocol begins with SASL.",
    )
    user: str = opt("", help="User to log in as.")
    password: str = opt("", secret=True, help="Password to log in with.")
    ca_file: str = opt("", help="PEM file of the authority that signed the servers' certificates.")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """The comment store."""

    engine: str = opt(
        "sqlite",
        choices=("sqlite", "cassandra"),
        help="sqlite: a file in the data folder, for one process; cassandra: see section "
        "cassandra.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CassandraSettings:
    """Cassandra, where it is the comment store. `groundswell migrate` makes the tables."""

    hosts: tuple[str, ...] = opt(("127.0.0.1",), at_least=1, help="Addresses to begin with.")
    port: int = opt(9042, at_least=1, at_most=65535, help="Port of the native protocol.")
    keyspace: str = opt("groundswell", help="Keyspace; made with `replication` if it is not there.")
    datacenter: str = opt("", help="Datacenter to prefer. Empty: that of the first host reached.")
    replication: int = opt(3, at_least=1, at_most=9, help="Replicas of a new keyspace.")
    bucket_bits: int = opt(
        15,
        at_least=1,
        at_most=17,
        help="A partition has the comments of 2^bucket_bits offsets of the log; fixed once the "
        "first process has connected.",
    )
    timeout: float = opt(
        5.0, unit="seconds", at_least=0.1, help="Wait for an answer, speculative ones included."
    )
    user: str = opt("", help="User to log in as; empty: none.")
    password: str = opt("", secret=True, help="Password to log in with.")
    ca_file: str = opt("", help="PEM file of the authority; empty: no TLS.")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountsSettings:
    """Users, videos, roles, the audit log and the index of comments."""

    url: str = opt(
        "",
        secret=True,
        help="postgresql://user:password@host:port/database. Empty: a file in the data folder.",
    )
    connections: int = opt(
        5, at_least=1, at_most=100, help="Connections of one process to PostgreSQL, at most."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheSettings:
    """The cache: limits, idempotency keys, immediate counts, hot pages, viewer counts."""

    engine: str = opt(
        "memory",
        choices=("memory", "redis"),
        help="memory: of this process alone; redis: see section redis.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisSettings:
    """Redis (or Valkey), where it is the cache."""

    url: str = opt(
        "redis://127.0.0.1:6379/0",
        secret=True,
        help="redis:// or rediss:// with user, password, host, port and database.",
    )
    prefix: str = opt("gs:", help="What our keys begin with.")
    timeout: float = opt(
        0.05,
        unit="seconds",
        at_least=0.001,
        at_most=5,
        help="Wait for an answer; after two that do not come Redis is bypassed and asked once a "
        "second whether it is back.",
    )
    connections: int = opt(
        4, at_least=1, at_most=100, help="Connections of one process, at most; 3 are used."
    )
