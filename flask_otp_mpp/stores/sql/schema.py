"""The three tables of the SQL store: their definition and revision.

They hold no code, no token and no address. Moments are microseconds since the epoch: the same on
every database, with no time zone to lose.

A stand-alone store keeps its revision in a version table of its own. A host that has Alembic or
Flask-Migrate may take the tables into its own MetaData instead, and migrate them with its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from flask_otp_mpp.core.reasons import MAX_DETAIL
from flask_otp_mpp.stores.sql.types import (
    ChannelName,
    Clients,
    Digest,
    ExactText,
    Moment,
    Sends,
    plain,
)

REVISION: Final = "0004"
VERSION_TABLE: Final = "otp_mpp_revision"
MIGRATIONS: Final = Path(__file__).parent / "migrations"
_PREFIX: Final = "otp_mpp_"
INNODB: Final = {
    f"{name}_{option}": value
    for name in ("mysql", "mariadb")
    for option, value in (("engine", "InnoDB"), ("charset", "utf8mb4"), ("collate", "utf8mb4_bin"))
}
"""What MySQL and MariaDB are told, whatever their defaults: transactions, and all of Unicode."""

metadata = sa.MetaData()

challenges = sa.Table(
    "otp_mpp_challenges",
    metadata,
    sa.Column("id", ExactText(64), primary_key=True),
    sa.Column("subject", ExactText(128), nullable=False, index=True),
    sa.Column("caller", ExactText(64), nullable=False),
    sa.Column("channel", ChannelName, nullable=False),
    sa.Column("digest", Digest, nullable=False),
    sa.Column("issued_at", Moment, nullable=False),
    sa.Column("expires_at", Moment, nullable=False, index=True),
    sa.Column("tries", sa.SmallInteger, nullable=False),
    sa.Column("attempts", sa.SmallInteger, nullable=False),
    sa.Column("used_at", Moment),
    sa.Column("closed_at", Moment),
)

user_limits = sa.Table(
    "otp_mpp_user_limits",
    metadata,
    sa.Column("subject", ExactText(128), primary_key=True),
    sa.Column("failures", sa.SmallInteger, nullable=False),
    sa.Column("clients", Clients, nullable=False),
    sa.Column("sends", Sends, nullable=False),
    sa.Column("keep_until", Moment, nullable=False),
    # A purge looks for the rows without failures.
    sa.Index("ix_otp_mpp_user_limits_failures_keep_until", "failures", "keep_until"),
)

requests = sa.Table(
    "otp_mpp_requests",
    metadata,
    sa.Column("key", ExactText(64), primary_key=True),
    sa.Column("challenge_id", ExactText(64), nullable=False),
    sa.Column("reason", sa.String(32)),
    sa.Column("detail", sa.String(MAX_DETAIL), nullable=False),
    sa.Column("until", Moment),
    sa.Column("keep_until", Moment, nullable=False, index=True),
    # The defaults are for rows, and for writers, of before there were these columns.
    sa.Column("digest", ExactText(64), nullable=False, server_default=sa.text("''")),
    sa.Column("subject", ExactText(128), nullable=False, server_default=sa.text("''"), index=True),
)

# As Alembic makes it, so that Alembic can upgrade from here.
versions = sa.Table(
    VERSION_TABLE, sa.MetaData(), sa.Column("version_num", sa.String(32), primary_key=True)
)


def attach_tables(target: sa.MetaData) -> None:
    """Add the tables of the store to a host's MetaData, so that its autogenerate knows them.

    The types of their columns are SQLAlchemy's own: a migration that Alembic writes of them imports
    nothing of this package, and makes the same tables on each database.

    :param target: for example ``db.metadata`` of Flask-SQLAlchemy. Create and upgrade the tables by
        the host's migrations then, and leave ``flask otp-mpp init-db`` alone.
    """
    attach_all(metadata, target)


def attach_all(tables: sa.MetaData, target: sa.MetaData) -> None:
    """Add tables to a host's MetaData, by SQLAlchemy's own types."""
    set_options(INNODB, tables)  # also for a host that writes its migrations on another database
    for table in tables.sorted_tables:
        for column in table.to_metadata(target).columns:
            column.type = plain(column.type)


def include_object(
    _object: object,
    name: str | None,
    kind: str,
    reflected: bool,  # noqa: FBT001 - Alembic calls it so
    compare_to: object,
) -> bool:
    """Keep Alembic's autogenerate from dropping the tables that ``flask otp-mpp init-db`` made.

    Pass it on as Alembic's option of this name, by ``Migrate(app, db, include_object=...)`` of
    Flask-Migrate or ``context.configure`` of ``env.py``. A table that the host's MetaData does not
    know is left alone if its name begins with ``otp_mpp_``; all others are compared.
    """
    unknown = kind == "table" and reflected and compare_to is None
    return not (unknown and (name or "").startswith(_PREFIX))


def set_options(options: Mapping[str, Any], of: sa.MetaData = metadata) -> None:
    """Tell the tables what a database needs, once it is known that it may be used.

    SQLAlchemy imports its part for that database.
    """
    for table in of.sorted_tables:
        table.dialect_kwargs.update(options)


def revision(db: sa.Connection) -> str | None:
    """Return the noted revision; None is noted by a host that migrates the tables itself."""
    if not sa.inspect(db).has_table(VERSION_TABLE):
        return None
    return db.scalar(sa.select(versions.c.version_num))
