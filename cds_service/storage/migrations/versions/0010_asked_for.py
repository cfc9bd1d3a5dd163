"""Administrators ask for comparisons and jobs on the dashboard."""

import sqlalchemy as sa
from alembic import op

from cds_service.storage.tables import UTCDateTime

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "comparison_requests",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("first", sa.String(), nullable=False),
        sa.Column("second", sa.String(), nullable=False),
        sa.Column("asked_by", sa.String(), nullable=False),
        sa.Column("asked_at", UTCDateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("ended_at", UTCDateTime(timezone=True), nullable=True),
        sa.Column("result", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_comparison_requests")),
    )
    op.create_index(
        "ix_comparison_requests_pair", "comparison_requests", ["first", "second", "asked_at"]
    )
    op.create_index(
        "uq_comparison_requests_waiting",
        "comparison_requests",
        ["first", "second"],
        unique=True,
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.add_column("jobs", sa.Column("asked_at", UTCDateTime(timezone=True), nullable=True))
    op.add_column("jobs", sa.Column("asked_by", sa.String(), nullable=True))


def downgrade() -> None:
    """Undo."""
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.drop_column("asked_by")
        batch_op.drop_column("asked_at")
    op.drop_table("comparison_requests")
