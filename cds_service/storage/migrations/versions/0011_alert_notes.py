"""Whoever acknowledges an alert may leave a note."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("alerts", sa.Column("note", sa.String(), nullable=True))


def downgrade() -> None:
    """Undo."""
    with op.batch_alter_table("alerts", schema=None) as batch_op:
        batch_op.drop_column("note")
