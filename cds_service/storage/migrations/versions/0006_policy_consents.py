"""People agree to the data-use policy before they enter readings."""

import sqlalchemy as sa
from alembic import op

from cds_service.storage.tables import UTCDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "policy_consents",
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("at", UTCDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("actor", "version", name=op.f("pk_policy_consents")),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_table("policy_consents")
