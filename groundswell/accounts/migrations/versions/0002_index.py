"""The index of comments: their metadata, their reaction totals, and how far they are complete."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

ID = sa.String(64).with_variant(sa.String(64, collation="C"), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "comments",
        sa.Column("comment_id", ID, nullable=False),
        sa.Column("video_id", ID, nullable=False),
        sa.Column("user_id", ID),
        sa.Column("timestamp_ms", sa.BigInteger),
        sa.Column("reply_to_comment_id", ID),
        sa.Column("deleted", sa.Boolean, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("offset", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("comment_id", name="pk_comments"),
    )
    op.create_index("ix_comments_video_id_timestamp_ms", "comments", ["video_id", "timestamp_ms"])
    op.create_index("ix_comments_user_id_timestamp_ms", "comments", ["user_id", "timestamp_ms"])
    op.create_table(
        "reactions",
        sa.Column("comment_id", ID, nullable=False),
        sa.Column("reaction_type", sa.String(16), nullable=False),
        sa.Column("total", sa.BigInteger, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("offset", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("comment_id", "reaction_type", name="pk_reactions"),
    )
    op.create_table(
        "applied",
        sa.Column("projection", sa.String(32), nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("log_epoch", sa.String(16), nullable=False),
        sa.Column("partition", sa.Integer, nullable=False),
        sa.Column("offset", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint(
            "projection", "generation", "log_epoch", "partition", name="pk_applied"
        ),
    )
