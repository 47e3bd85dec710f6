"""Idempotency keys of callers: store the digest of a request's parameters, and its user."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def exact(length: int) -> sa.types.TypeEngine[Any]:
    """Return the type of a text that only the very same text equals."""
    return (
        sa.String(length)
        .with_variant(sa.VARBINARY(4 * length), "mysql", "mariadb")
        .with_variant(sa.String(length, collation="C"), "postgresql")
    )


def upgrade() -> None:
    """Add two columns; a row that is there had no name and keeps its answer."""
    for name, length in (("digest", 64), ("subject", 128)):
        column = sa.Column(name, exact(length), nullable=False, server_default="")
        op.add_column("otp_mpp_requests", column)


def downgrade() -> None:
    """Drop the columns; a named request is then one like any other."""
    for name in ("subject", "digest"):
        op.drop_column("otp_mpp_requests", name)
