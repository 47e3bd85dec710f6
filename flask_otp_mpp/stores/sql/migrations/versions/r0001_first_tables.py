"""The first three tables: challenges, standings, requests."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

INNODB: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
    "mariadb_collate": "utf8mb4_bin",
}


def exact(length: int) -> sa.types.TypeEngine[Any]:
    """Return the type of a text that only the very same text equals."""
    return (
        sa.String(length)
        .with_variant(sa.VARBINARY(4 * length), "mysql", "mariadb")
        .with_variant(sa.String(length, collation="C"), "postgresql")
    )


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "otp_mpp_challenges",
        sa.Column("id", exact(64), primary_key=True),
        sa.Column("subject", exact(128), nullable=False, index=True),
        sa.Column("caller", exact(64), nullable=False),
        sa.Column("channel", sa.String(16), nullable=False),
        sa.Column(
            "digest",
            sa.LargeBinary(32).with_variant(sa.VARBINARY(32), "mysql", "mariadb"),
            nullable=False,
        ),
        sa.Column("issued_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False, index=True),
        sa.Column("tries", sa.SmallInteger, nullable=False),
        sa.Column("attempts", sa.SmallInteger, nullable=False),
        sa.Column("used_at", sa.BigInteger),
        sa.Column("closed_at", sa.BigInteger),
        **INNODB,
    )
    op.create_table(
        "otp_mpp_standings",
        sa.Column("subject", exact(128), primary_key=True),
        sa.Column("failures", sa.SmallInteger, nullable=False),
        sa.Column("locks", sa.SmallInteger, nullable=False),
        sa.Column("locked_until", sa.BigInteger),
        sa.Column("forget_at", sa.BigInteger),
        sa.Column("sends", sa.Text, nullable=False),
        sa.Column("keep_until", sa.BigInteger, nullable=False, index=True),
        **INNODB,
    )
    op.create_table(
        "otp_mpp_requests",
        sa.Column("key", exact(64), primary_key=True),
        sa.Column("challenge_id", exact(64), nullable=False),
        sa.Column("reason", sa.String(32)),
        sa.Column("detail", sa.String(200), nullable=False),
        sa.Column("until", sa.BigInteger),
        sa.Column("keep_until", sa.BigInteger, nullable=False, index=True),
        **INNODB,
    )


def downgrade() -> None:
    """Drop the tables, and with them every count."""
    for name in ("otp_mpp_requests", "otp_mpp_standings", "otp_mpp_challenges"):
        op.drop_table(name)
