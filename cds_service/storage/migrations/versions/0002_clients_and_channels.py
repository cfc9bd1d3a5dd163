"""Clients, bearer secrets, merges, pulls, notifications, history of outcomes."""

import sqlalchemy as sa
from alembic import op

from cds_service.storage.tables import UTCDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "clients",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("settings", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("created_at", UTCDateTime(timezone=True), nullable=False),
        sa.Column("updated_at", UTCDateTime(timezone=True), nullable=False),
        sa.Column("removed_at", UTCDateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_clients")),
    )
    op.create_table(
        "notifications",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("client", sa.String(), nullable=False),
        sa.Column("received_at", UTCDateTime(timezone=True), nullable=False),
        sa.Column("focus", sa.LargeBinary(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", UTCDateTime(timezone=True), nullable=False),
        sa.Column("done_at", UTCDateTime(timezone=True), nullable=True),
        sa.Column("result", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notifications")),
    )
    with op.batch_alter_table("notifications", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_notifications_client"), ["client"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_notifications_next_attempt_at"), ["next_attempt_at"], unique=False
        )

    op.create_table(
        "patient_merges",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("from_key", sa.String(), nullable=False),
        sa.Column("into_key", sa.String(), nullable=False),
        sa.Column("client", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("at", UTCDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_patient_merges")),
    )
    with op.batch_alter_table("patient_merges", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_patient_merges_from_key"), ["from_key"], unique=False)
        batch_op.create_index(batch_op.f("ix_patient_merges_into_key"), ["into_key"], unique=False)

    op.create_table(
        "subscription_cursors",
        sa.Column("client", sa.String(), nullable=False),
        sa.Column("subscription_key", sa.String(), nullable=False),
        sa.Column("last_event", sa.BigInteger(), nullable=False),
        sa.Column("at", UTCDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("client", "subscription_key", name=op.f("pk_subscription_cursors")),
    )
    op.create_table(
        "switches",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.Boolean(), nullable=False),
        sa.Column("at", UTCDateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_switches")),
    )
    op.create_table(
        "used_tokens",
        sa.Column("issuer", sa.String(), nullable=False),
        sa.Column("jti_hash", sa.String(), nullable=False),
        sa.Column("expires_at", UTCDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("issuer", "jti_hash", name=op.f("pk_used_tokens")),
    )
    with op.batch_alter_table("used_tokens", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_used_tokens_expires_at"), ["expires_at"], unique=False)

    op.create_table(
        "client_secrets",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("client", sa.String(), nullable=False),
        sa.Column("secret_hash", sa.String(), nullable=False),
        sa.Column("rights", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("created_at", UTCDateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", UTCDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["client"], ["clients.name"], name=op.f("fk_client_secrets_client")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_client_secrets")),
    )
    with op.batch_alter_table("client_secrets", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_client_secrets_client"), ["client"], unique=False)

    op.create_table(
        "outcome_pulls",
        sa.Column("assessment_id", sa.String(), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", UTCDateTime(timezone=True), nullable=False),
        sa.Column("done_at", UTCDateTime(timezone=True), nullable=True),
        sa.Column("result", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["assessment_id"], ["assessments.id"], name=op.f("fk_outcome_pulls_assessment_id")
        ),
        sa.PrimaryKeyConstraint("assessment_id", "day", name=op.f("pk_outcome_pulls")),
    )
    with op.batch_alter_table("outcome_pulls", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_outcome_pulls_next_attempt_at"), ["next_attempt_at"], unique=False
        )

    with op.batch_alter_table("assessments", schema=None) as batch_op:
        batch_op.add_column(sa.Column("advice_hash", sa.String(), nullable=True))

    with op.batch_alter_table("outcomes", schema=None) as batch_op:
        batch_op.add_column(sa.Column("superseded_at", UTCDateTime(timezone=True), nullable=True))
        batch_op.drop_constraint(
            batch_op.f("uq_outcomes_assessment_id_label_version"), type_="unique"
        )
        batch_op.create_index(
            "uq_outcomes_current",
            ["assessment_id", "label_version"],
            unique=True,
            sqlite_where=sa.text("superseded_at IS NULL"),
            postgresql_where=sa.text("superseded_at IS NULL"),
        )


def downgrade() -> None:
    """Undo."""
    op.execute("DELETE FROM outcomes WHERE superseded_at IS NOT NULL")
    with op.batch_alter_table("outcomes", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_outcomes_current",
            sqlite_where=sa.text("superseded_at IS NULL"),
            postgresql_where=sa.text("superseded_at IS NULL"),
        )
        batch_op.create_unique_constraint(
            batch_op.f("uq_outcomes_assessment_id_label_version"),
            ["assessment_id", "label_version"],
        )
        batch_op.drop_column("superseded_at")

    with op.batch_alter_table("assessments", schema=None) as batch_op:
        batch_op.drop_column("advice_hash")

    with op.batch_alter_table("outcome_pulls", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_outcome_pulls_next_attempt_at"))

    op.drop_table("outcome_pulls")
    with op.batch_alter_table("client_secrets", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_client_secrets_client"))

    op.drop_table("client_secrets")
    with op.batch_alter_table("used_tokens", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_used_tokens_expires_at"))

    op.drop_table("used_tokens")
    op.drop_table("switches")
    op.drop_table("subscription_cursors")
    with op.batch_alter_table("patient_merges", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_patient_merges_into_key"))
        batch_op.drop_index(batch_op.f("ix_patient_merges_from_key"))

    op.drop_table("patient_merges")
    with op.batch_alter_table("notifications", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_notifications_next_attempt_at"))
        batch_op.drop_index(batch_op.f("ix_notifications_client"))

    op.drop_table("notifications")
    op.drop_table("clients")
