"""Rename the table of user limits, and its index."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
OLD = "otp_mpp_standings"
NEW = "otp_mpp_user_limits"


def upgrade() -> None:
    """Rename the table and its index; every row stays."""
    _rename(OLD, NEW)


def downgrade() -> None:
    """Give both their old names back."""
    _rename(NEW, OLD)


def _rename(old: str, new: str) -> None:
    op.drop_index(f"ix_{old}_keep_until", table_name=old)
    op.rename_table(old, new)
    op.create_index(f"ix_{new}_keep_until", new, ["keep_until"])
