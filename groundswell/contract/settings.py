"""Every option, declared once: name, type, default, bounds, unit, help, secret or not.

`config.py` derives the file format, environment names, flags, validation and `docs/settings.md`
from these declarations. An option is called `section.name`; a section is a field of `Settings`.
"""

from dataclasses import dataclass, field

from groundswell.contract.engine_settings import (
    AccountsSettings,
    CacheSettings,
    CassandraSettings,
    KafkaSettings,
    LogSettings,
    RedisSettings,
    StoreSettings,
)
from groundswell.contract.option import opt

__all__ = [
    "AccountsSettings",
    "AuthSettings",
    "CacheSettings",
    "CassandraSettings",
    "DemoSettings",
    "IdsSettings",
    "KafkaSettings",
    "LimitsSettings",
    "LogSettings",
    "PersistSettings",
    "RedisSettings",
    "RoomSettings",
    "ServerSettings",
    "Settings",
    "StoreSettings",
    "StreamSettings",
    "TelemetrySettings",
    "VideosSettings",
]

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """Listening, shutting down, and what every connection is held to."""

    roles: tuple[str, ...] = opt(
        ("ingest", "broker", "persist"),
        at_least=1,
        choices=("ingest", "broker", "persist"),
        help="Roles that this process runs.",
    )
    workers: int = opt(
        1,
        at_least=1,
        at_most=256,
        help="Processes that share the public port; more than one needs engines that several "
        "processes can use.",
    )
    data: str = opt("groundswell-data", help="Folder of the embedded engines' files and secrets.")
    host: str = opt(
        "",
        help="Address to listen on. Empty: all addresses once a token secret or key is set by "
        "you, else loopback only.",
    )
    port: int = opt(8080, at_least=0, at_most=65535, help="Public port; 0 picks a free one.")
    internal_host: str = opt("127.0.0.1", help="Address of /health, /ready and /metrics.")
    internal_port: int = opt(
        8081, at_least=0, at_most=65535, help="Port of /health, /ready and /metrics."
    )
    origins: tuple[str, ...] = opt(
        (),
        help="Origins whose pages may connect, such as https://example.com; * allows all. The "
        "server's own origin is always allowed.",
    )
    trusted_proxies: tuple[str, ...] = opt(
        (), help="Addresses or networks whose X-Forwarded-For is believed."
    )
    header_timeout: float = opt(
        10.0, unit="seconds", at_least=0.1, help="Time for a request's head to arrive."
    )
    body_timeout: float = opt(
        15.0, unit="seconds", at_least=0.1, help="Time for a request's body to arrive."
    )
    body_bytes: int = opt(
        16 * KIB, unit="bytes", at_least=1 * KIB, help="Largest request body that is read."
    )
    drain_time: float = opt(
        10.0,
        unit="seconds",
        at_least=0.0,
        help="On SIGTERM, closes of viewers are spread over this time.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthSettings:
    """Whose tokens are believed."""

    secret: str = opt(
        "",
        unit="bytes",
        at_least=32,  # RFC 7518 section 3.2: a key of at least the hash's size
        secret=True,
        help="Secret of HS256 tokens. Empty and no auth.keys: a development "
        "secret is made in the data folder and only loopback is served.",
    )
    keys: str = opt(
        "",
        help="TOML file of keys: [[key]] with kid, algorithm (HS256, RS256, ES256 or EdDSA) and "
        "secret, secret_file or public_key_file.",
    )
    audience: str = opt("groundswell", help="The `aud` that a token must have.")
    issuer: str = opt("groundswell", help="The `iss` that a token must have.")
    leeway: float = opt(
        30.0, unit="seconds", at_least=0, at_most=300, help="Clock difference that is forgiven."
    )
    viewers: str = opt(
        "optional", choices=("optional", "required"), help="Whether reading needs a token."
    )
    cached_tokens: int = opt(
        100_000, at_least=0, help="Verified tokens that are remembered, about 0.5 KB each."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class IdsSettings:
    """Comment ids."""

    secret: str = opt(
        "",
        unit="bytes",
        at_least=16,
        secret=True,
        help="Secret that comment ids are authenticated with; permanent, and the same on every "
        "node. Empty: made once in the data folder.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class VideosSettings:
    """Which videos exist."""

    registered_only: bool = opt(default=False, help="Only registered videos can be commented on.")


@dataclass(frozen=True, slots=True, kw_only=True)
class PersistSettings:
    """The durable path."""

    projections: tuple[str, ...] = opt(
        ("comments", "tally", "index"),
        at_least=1,
        choices=("comments", "tally", "index"),
        help="What this process projects out of the log: comments and reaction totals into the "
        "comment store, the index for moderators into the accounts database.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsSettings:
    """How fast one user and one address may write. GCRA: `burst` at once, then the rate."""

    enabled: bool = opt(default=True, help="Whether the limits of this section are applied.")
    user_comments: float = opt(
        1.0, unit="per second", at_least=0.001, help="Comments of one user on one video."
    )
    user_comments_burst: int = opt(5, at_least=1, help="Comments of one user at once.")
    address_comments: float = opt(
        50.0, unit="per second", at_least=0.001, help="Comments from one address."
    )
    address_comments_burst: int = opt(200, at_least=1, help="Comments from one address at once.")
    user_reactions: float = opt(
        10.0, unit="per second", at_least=0.001, help="Reactions and hearts of one user."
    )
    user_reactions_burst: int = opt(
        40, at_least=1, help="Reactions and hearts of one user at once."
    )
    address_reactions: float = opt(
        500.0, unit="per second", at_least=0.001, help="Reactions and hearts from one address."
    )
    address_reactions_burst: int = opt(
        2000, at_least=1, help="Reactions and hearts from one address at once."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomSettings:
    """What a broker keeps and sends for one video."""

    display_rate: int = opt(
        50,
        unit="comments per second",
        at_least=0,
        help="Above this rate viewers are sent a sample; everything is stored. 0: show all.",
    )
    tick_min: float = opt(
        0.02, unit="seconds", at_least=0.0, at_most=10, help="Shortest time between two frames."
    )
    tick_max: float = opt(
        0.25, unit="seconds", at_least=0.001, at_most=10, help="Longest wait of a comment."
    )
    resume_window: float = opt(
        120.0, unit="seconds", at_least=0, help="How long after a cut everything can be resumed."
    )
    resume_bytes: int = opt(
        256 * MIB, unit="bytes", at_least=1 * MIB, help="Memory for resuming, all videos together."
    )
    ring_time: float = opt(
        5.0, unit="seconds", at_least=0.1, help="How far a viewer may fall behind."
    )
    ring_bytes: int = opt(
        1 * MIB, unit="bytes", at_least=64 * KIB, help="Frames that a room keeps, at most."
    )
    snapshot: int = opt(
        50, unit="comments", at_least=0, at_most=500, help="Comments in a `welcome`."
    )
    slow_viewers: str = opt(
        "skip",
        choices=("skip", "close"),
        help="A viewer behind the ring skips to now with a new `welcome`, or is closed with 4008.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSettings:
    """One viewer's stream."""

    plane: str = opt(
        "auto",
        choices=("auto", "native", "asyncio"),
        help="What moves frames to sockets: the hub's own threads (native, Linux only), or the "
        "event loop (asyncio). auto: native where it was built.",
    )
    hub_threads: int = opt(
        0,
        at_least=0,
        at_most=255,
        help="Threads of the native plane. 0: one less than each worker has cores, at least 1.",
    )
    message_bytes: int = opt(
        16 * KIB, unit="bytes", at_least=1 * KIB, at_most=1 * MIB, help="Largest client message."
    )
    compression: bool = opt(
        default=False,
        help="Deflate what a room sends to the WebSockets that offer permessage-deflate, once for "
        "all of them; they may deflate theirs.",
    )
    ping_interval: float = opt(
        25.0, unit="seconds", at_least=0.1, help="Time between two pings of a viewer."
    )
    pong_timeout: float = opt(
        8.0, unit="seconds", at_least=0.1, help="Time for a sign of life after a ping."
    )
    message_timeout: float = opt(
        20.0,
        unit="seconds",
        at_least=0.1,
        help="Time for a client's message to arrive, with all its fragments.",
    )
    auth_timeout: float = opt(
        10.0, unit="seconds", at_least=0.1, help="Time for `auth` where viewers must be known."
    )
    send_buffer: int = opt(
        64 * KIB, unit="bytes", at_least=4 * KIB, help="Unsent bytes of one viewer, at most."
    )
    uplink_messages: float = opt(
        50.0,
        unit="per second",
        at_least=1,
        help="Client messages of one stream; far more closes it with 4429.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoSettings:
    """The crowd of `serve --demo`."""

    enabled: bool = opt(default=False, help="Guest sessions for the page, and a simulated crowd.")
    video: str = opt("demo", help="The video that the crowd watches.")
    comments: float = opt(2.0, unit="per second", at_least=0, at_most=500, help="Crowd's comments.")
    reactions: float = opt(
        6.0, unit="per second", at_least=0, at_most=5000, help="Crowd's reactions and hearts."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TelemetrySettings:
    """Logging."""

    log_format: str = opt(
        "auto", choices=("auto", "json", "console"), help="auto: console on a terminal, else JSON."
    )
    log_level: str = opt(
        "info", choices=("debug", "info", "warning", "error"), help="Least level that is logged."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All sections."""

    server: ServerSettings = field(default_factory=ServerSettings)
    auth: AuthSettings = field(default_factory=AuthSettings)
    ids: IdsSettings = field(default_factory=IdsSettings)
    videos: VideosSettings = field(default_factory=VideosSettings)
    log: LogSettings = field(default_factory=LogSettings)
    kafka: KafkaSettings = field(default_factory=KafkaSettings)
    store: StoreSettings = field(default_factory=StoreSettings)
    cassandra: CassandraSettings = field(default_factory=CassandraSettings)
    accounts: AccountsSettings = field(default_factory=AccountsSettings)
    cache: CacheSettings = field(default_factory=CacheSettings)
    redis: RedisSettings = field(default_factory=RedisSettings)
    persist: PersistSettings = field(default_factory=PersistSettings)
    limits: LimitsSettings = field(default_factory=LimitsSettings)
    room: RoomSettings = field(default_factory=RoomSettings)
    stream: StreamSettings = field(default_factory=StreamSettings)
    demo: DemoSettings = field(default_factory=DemoSettings)
    telemetry: TelemetrySettings = field(default_factory=TelemetrySettings)
