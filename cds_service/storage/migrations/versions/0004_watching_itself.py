"""The service watches itself: chunks, shadow scores, alerts, jobs, challengers, review, exports."""

import sqlalchemy as sa
from alembic import op

from cds_service.storage.tables import UTCDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "alert_deliveries",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("alert_id", sa.String(), nullable=False),
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("content", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("created_at", UTCDateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", UTCDateTime(timezone=True), nullable=False),
        sa.Column("done_at", UTCDateTime(timezone=True), nullable=True),
        sa.Column("result", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_deliveries")),
        sa.UniqueConstraint(
            "alert_id", "event", "channel", name=op.f("uq_alert_deliveries_alert_id_event_channel")
        ),
    )
    with op.batch_alter_table("alert_deliveries", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_alert_deliveries_alert_id"), ["alert_id"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_alert_deliveries_next_attempt_at"), ["next_attempt_at"], unique=False
        )

    op.create_table(
        "evaluation_chunks",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("started_at", UTCDateTime(timezone=True), nullable=False),
        sa.Column("ended_at", UTCDateTime(timezone=True), nullable=False),
        sa.Column("label_version", sa.String(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("verified", sa.Integer(), nullable=False),
        sa.Column("at", UTCDateTime(timezone=True), nullable=False),
        sa.Column("run_id", sa.String(), nullable=True),
        sa.Column("result", sa.JSON(none_as_null=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evaluation_chunks")),
        sa.UniqueConstraint(
            "number", "revision", name=op.f("uq_evaluation_chunks_number_revision")
        ),
    )
    op.create_table(
        "export_parts",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("dataset", sa.String(), nullable=False),
        sa.Column("day", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("at", UTCDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_export_parts")),
        sa.UniqueConstraint("target", "name", name=op.f("uq_export_parts_target_name")),
    )
    op.create_table(
        "input_chunks",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("started_at", UTCDateTime(timezone=True), nullable=False),
        sa.Column("ended_at", UTCDateTime(timezone=True), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("model_version", sa.String(), nullable=False),
        sa.Column("at", UTCDateTime(timezone=True), nullable=False),
        sa.Column("result", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("state", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("outcomes", sa.JSON(none_as_null=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_input_chunks")),
        sa.UniqueConstraint("number", name=op.f("uq_input_chunks_number")),
    )
    op.create_table(
        "jobs",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("due_at", UTCDateTime(timezone=True), nullable=False),
        sa.Column("owner", sa.String(), nullable=True),
        sa.Column("lease_until", UTCDateTime(timezone=True), nullable=True),
        sa.Column("started_at", UTCDateTime(timezone=True), nullable=True),
        sa.Column("finished_at", UTCDateTime(timezone=True), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("result", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_jobs")),
    )
    op.create_table(
        "exported_rows",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("dataset", sa.String(), nullable=False),
        sa.Column("row_id", sa.String(), nullable=False),
        sa.Column("part_id", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["part_id"], ["export_parts.id"], name=op.f("fk_exported_rows_part_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exported_rows")),
        sa.UniqueConstraint(
            "target", "dataset", "row_id", name=op.f("uq_exported_rows_target_dataset_row_id")
        ),
    )
    with op.batch_alter_table("exported_rows", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_exported_rows_part_id"), ["part_id"], unique=False)

    op.create_table(
        "review_answers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("assessment_id", sa.String(), nullable=False),
        sa.Column("answer", sa.String(), nullable=False),
        sa.Column("category", sa.String(), nullable=True),
        sa.Column("rare_code", sa.String(), nullable=True),
        sa.Column("agreed", sa.Boolean(), nullable=True),
        sa.Column("at", UTCDateTime(timezone=True), nullable=False),
        sa.Column("reviewer", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["assessment_id"], ["assessments.id"], name=op.f("fk_review_answers_assessment_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review_answers")),
    )
    with op.batch_alter_table("review_answers", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_review_answers_assessment_id"), ["assessment_id"], unique=False
        )

    op.create_table(
        "review_items",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("assessment_id", sa.String(), nullable=False),
        sa.Column("reasons", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("priority", sa.Float(), nullable=False),
        sa.Column("queued_at", UTCDateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("closed_at", UTCDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["assessment_id"], ["assessments.id"], name=op.f("fk_review_items_assessment_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review_items")),
        sa.UniqueConstraint("assessment_id", name=op.f("uq_review_items_assessment_id")),
    )
    with op.batch_alter_table("review_items", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_review_items_state"), ["state"], unique=False)

    op.create_table(
        "watched_files",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("seen_at", UTCDateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("history_id", sa.String(), nullable=True),
        sa.Column("report", sa.JSON(none_as_null=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["history_id"], ["history_files.id"], name=op.f("fk_watched_files_history_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_watched_files")),
    )
    with op.batch_alter_table("watched_files", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_watched_files_sha256"), ["sha256"], unique=False)

    op.create_table(
        "challengers",
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("champion", sa.String(), nullable=False),
        sa.Column("created_at", UTCDateTime(timezone=True), nullable=False),
        sa.Column("shadow_until", UTCDateTime(timezone=True), nullable=True),
        sa.Column("decided_at", UTCDateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("detail", sa.JSON(none_as_null=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["version"], ["model_versions.version"], name=op.f("fk_challengers_version")
        ),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_challengers")),
    )
    op.create_table(
        "shadow_scores",
        sa.Column("assessment_id", sa.String(), nullable=False),
        sa.Column("model_version", sa.String(), nullable=False),
        sa.Column("probabilities", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("category", sa.String(), nullable=False),
        sa.Column("at", UTCDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["assessment_id"], ["assessments.id"], name=op.f("fk_shadow_scores_assessment_id")
        ),
        sa.ForeignKeyConstraint(
            ["model_version"],
            ["model_versions.version"],
            name=op.f("fk_shadow_scores_model_version"),
        ),
        sa.PrimaryKeyConstraint("assessment_id", "model_version", name=op.f("pk_shadow_scores")),
    )
    op.create_table(
        "release_watches",
        sa.Column("release_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("previous", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("looks", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("digest", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("at", UTCDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["release_id"], ["releases.id"], name=op.f("fk_release_watches_release_id")
        ),
        sa.PrimaryKeyConstraint("release_id", name=op.f("pk_release_watches")),
    )

    with op.batch_alter_table("alerts", schema=None) as batch_op:
        batch_op.add_column(sa.Column("key", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("severity", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("last_seen_at", UTCDateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("times_seen", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("acknowledged_at", UTCDateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("acknowledged_by", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("resolved_by", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("resolution", sa.String(), nullable=True))
    _fill_alerts()
    with op.batch_alter_table("alerts", schema=None) as batch_op:
        for name in ("key", "severity"):
            batch_op.alter_column(name, existing_type=sa.String(), nullable=False)
        batch_op.alter_column(
            "last_seen_at", existing_type=UTCDateTime(timezone=True), nullable=False
        )
        batch_op.alter_column("times_seen", existing_type=sa.Integer(), nullable=False)
        batch_op.create_index(
            "uq_alerts_open",
            ["key"],
            unique=True,
            sqlite_where=sa.text("resolved_at IS NULL"),
            postgresql_where=sa.text("resolved_at IS NULL"),
        )

    with op.batch_alter_table("model_versions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("history_ids", sa.JSON(none_as_null=True), nullable=True))
    op.execute("UPDATE model_versions SET history_ids = '[]'")
    with op.batch_alter_table("model_versions", schema=None) as batch_op:
        batch_op.alter_column(
            "history_ids", existing_type=sa.JSON(none_as_null=True), nullable=False
        )

    with op.batch_alter_table("outcomes", schema=None) as batch_op:
        batch_op.add_column(sa.Column("author", sa.String(), nullable=True))


def _fill_alerts() -> None:
    """Alerts of before had no key: one was told from another by figure, version and command."""
    alerts = sa.table(
        "alerts",
        sa.column("id", sa.String()),
        sa.column("at", UTCDateTime(timezone=True)),
        sa.column("kind", sa.String()),
        sa.column("model_version", sa.String()),
        sa.column("detail", sa.JSON()),
        sa.column("key", sa.String()),
        sa.column("severity", sa.String()),
        sa.column("last_seen_at", UTCDateTime(timezone=True)),
        sa.column("times_seen", sa.Integer()),
    )
    connection = op.get_bind()
    for row in connection.execute(sa.select(alerts)).all():
        figure, found_by = row.detail.get("figure", row.id), row.detail.get("found_by", "")
        connection.execute(
            sa.update(alerts)
            .where(alerts.c.id == row.id)
            .values(
                key=":".join([row.kind, str(row.model_version), figure, found_by]),
                severity="warning",
                last_seen_at=row.at,
                times_seen=1,
            )
        )


def downgrade() -> None:
    """Take back."""
    with op.batch_alter_table("outcomes", schema=None) as batch_op:
        batch_op.drop_column("author")
    with op.batch_alter_table("model_versions", schema=None) as batch_op:
        batch_op.drop_column("history_ids")
    with op.batch_alter_table("alerts", schema=None) as batch_op:
        batch_op.drop_index("uq_alerts_open")
        for name in (
            *("key", "severity", "last_seen_at", "times_seen", "acknowledged_at"),
            *("acknowledged_by", "resolved_by", "resolution"),
        ):
            batch_op.drop_column(name)
    for table in (
        *("release_watches", "shadow_scores", "challengers", "watched_files", "review_items"),
        *("review_answers", "exported_rows", "jobs", "input_chunks", "export_parts"),
        *("evaluation_chunks", "alert_deliveries"),
    ):
        op.drop_table(table)
