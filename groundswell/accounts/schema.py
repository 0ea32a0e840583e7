"""The tables. A change needs a migration in `migrations/versions/`; a test compares the two."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    column,
    table,
)

REVISION: Final = "0002"  # the last migration

ALL_VIDEOS: Final = ""  # a role on every video; NULL could not be part of a primary key

applied_migrations = table("alembic_version", column("version_num"))  # alembic's own

# Names of constraints that are the same on every engine, so that migrations can refer to them.
metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)

# Ids are compared by their bytes, whatever the language that the database was made for.
ID = String(64).with_variant(String(64, collation="C"), "postgresql")

users = Table(
    "users",
    metadata,
    Column("user_id", ID, primary_key=True),
    Column("first_seen_ms", BigInteger, nullable=False),
    Column("last_seen_ms", BigInteger, nullable=False),
)

videos = Table(
    "videos",
    metadata,
    Column("video_id", ID, primary_key=True),
    Column("title", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
)

roles = Table(
    "roles",
    metadata,
    Column("user_id", ID, primary_key=True),
    Column("video_id", ID, primary_key=True),
    Column("role", String(16), primary_key=True),
)

audit = Table(
    "audit",
    metadata,
    # SQLite numbers rows by itself only where the key is spelled INTEGER.
    Column(
        "entry_id",
        BigInteger().with_variant(Integer, "sqlite"),
        primary_key=True,
        autoincrement=True,
    ),
    Column("time_ms", BigInteger, nullable=False),
    Column("actor", String(64), nullable=False),
    Column("action", String(64), nullable=False),
    Column("target", Text, nullable=False),
    Column("video_id", ID),
    Column("detail", Text),
    Column("request_id", Text),
    Index("ix_audit_video_id_entry_id", "video_id", "entry_id"),
    sqlite_autoincrement=True,  # a number is never used again: the audit log is paged by it
)

# The index: projections of the log, which can be made again from it. `generation` and "offset" are
# the place in the log of the record that a row was written from.
comments = Table(
    "comments",
    metadata,
    Column("comment_id", ID, primary_key=True),
    Column("video_id", ID, nullable=False),
    # NULL as long as all that is known of a comment is that it was deleted.
    Column("user_id", ID),
    Column("timestamp_ms", BigInteger),
    Column("reply_to_comment_id", ID),
    Column("deleted", Boolean, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Index("ix_comments_video_id_timestamp_ms", "video_id", "timestamp_ms"),
    Index("ix_comments_user_id_timestamp_ms", "user_id", "timestamp_ms"),
)

reactions = Table(
    "reactions",
    metadata,
    Column("comment_id", ID, primary_key=True),
    Column("reaction_type", String(16), primary_key=True),
    Column("total", BigInteger, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
)

applied = Table(
    "applied",
    metadata,
    Column("projection", String(32), primary_key=True),
    Column("generation", Integer, primary_key=True),
    # Embedded, a new log has the same generation: its epoch tells it from the old one.
    Column("log_epoch", String(16), primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("offset", BigInteger, nullable=False),
)
