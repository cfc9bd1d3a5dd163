"""Looks at held-out parts, alerts, what people write on model cards, reviews of rare cases."""

import sqlalchemy as sa
from alembic import op

from cds_service.storage.tables import UTCDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "held_out_looks",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("at", UTCDateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("held_out_from", UTCDateTime(timezone=True), nullable=True),
        sa.Column("model_version", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_held_out_looks")),
    )
    with op.batch_alter_table("held_out_looks", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_held_out_looks_fingerprint"), ["fingerprint"], unique=False
        )

    op.create_table(
        "alerts",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("at", UTCDateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("model_version", sa.String(), nullable=True),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("detail", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("resolved_at", UTCDateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
    )
    with op.batch_alter_table("alerts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_alerts_at"), ["at"], unique=False)

    op.create_table(
        "model_card_entries",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("model_version", sa.String(), nullable=False),
        sa.Column("attribute", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("content", sa.String(), nullable=False),
        sa.Column("at", UTCDateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["model_version"],
            ["model_versions.version"],
            name=op.f("fk_model_card_entries_model_version"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_card_entries")),
    )
    with op.batch_alter_table("model_card_entries", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_model_card_entries_model_version_attribute"),
            ["model_version", "attribute"],
            unique=False,
        )

    op.create_table(
        "rare_case_reviews",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("patient_key", sa.String(), nullable=False),
        sa.Column("rare_code", sa.String(), nullable=False),
        sa.Column("decision", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("at", UTCDateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rare_case_reviews")),
    )
    with op.batch_alter_table("rare_case_reviews", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_rare_case_reviews_patient_key_rare_code"),
            ["patient_key", "rare_code"],
            unique=False,
        )


def downgrade() -> None:
    """Take back."""
    for table in ("rare_case_reviews", "model_card_entries", "alerts", "held_out_looks"):
        op.drop_table(table)
