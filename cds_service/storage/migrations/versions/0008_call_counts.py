"""The dashboard counts calls and answers without reading what was said of anybody."""

import sqlalchemy as sa
from alembic import op

from cds_service.storage.tables import UTCDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "call_counts",
        sa.Column("hour", UTCDateTime(timezone=True), nullable=False),
        sa.Column("client", sa.String(), nullable=False),
        sa.Column("service", sa.String(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("bucket", sa.Integer(), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("last_at", UTCDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint(
            "hour", "client", "service", "status", "bucket", name=op.f("pk_call_counts")
        ),
    )
    op.create_index(
        "ix_assessments_counted",
        "assessments",
        [
            "prediction_time",
            "client",
            "service",
            "situation",
            "category",
            "suppressed",
            "encounter_class",
            "model_version",
            "id",
        ],
    )
    op.create_index(
        "ix_audit_events_object",
        "audit_events",
        ["object_type", "object_id"],
        sqlite_where=sa.text("object_type <> 'assessment'"),
        postgresql_where=sa.text("object_type <> 'assessment'"),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_index("ix_audit_events_object", table_name="audit_events")
    op.drop_index("ix_assessments_counted", table_name="assessments")
    op.drop_table("call_counts")
