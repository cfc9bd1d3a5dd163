"""A link to an explanation opens once."""

import sqlalchemy as sa
from alembic import op

from cds_service.storage.tables import UTCDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "used_links",
        sa.Column("link", sa.String(), nullable=False),
        sa.Column("ends_at", UTCDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("link", name=op.f("pk_used_links")),
    )
    op.create_index(op.f("ix_used_links_ends_at"), "used_links", ["ends_at"])


def downgrade() -> None:
    """Undo."""
    op.drop_table("used_links")
