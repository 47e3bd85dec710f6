"""The store's tables are made, told apart by a revision, and upgraded without losing a row.

A stand-alone store keeps its revision in a version table of its own. A host that has Alembic or
Flask-Migrate may take the tables into its own MetaData instead, and migrate them with its own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import sqlalchemy as sa

from flask_otp_mpp.stores.sql.tables import metadata, name_engine_of_mysql

REVISION: Final = "0002"
VERSION_TABLE: Final = "otp_mpp_revision"
MIGRATIONS: Final = Path(__file__).parent / "migrations"

# As Alembic itself makes it: whoever has Alembic may go on from here.
_versions = sa.Table(
    VERSION_TABLE, sa.MetaData(), sa.Column("version_num", sa.String(32), primary_key=True)
)


def attach(target: sa.MetaData) -> None:
    """Add our tables to a host's MetaData, so that its autogenerate knows them.

    :param target: for example ``db.metadata`` of Flask-SQLAlchemy. Create and upgrade the tables by
        the host's migrations then, and leave ``flask otp-mpp init-db`` alone.
    """
    name_engine_of_mysql()
    for table in metadata.sorted_tables:
        table.to_metadata(target)


def create(engine: sa.Engine) -> None:
    """Make the tables that are missing, and note their revision if none is noted."""
    metadata.create_all(engine)
    _versions.create(engine, checkfirst=True)
    with engine.begin() as db:
        if db.scalar(sa.select(_versions.c.version_num)) is None:
            db.execute(sa.insert(_versions).values(version_num=REVISION))


def revision(engine: sa.Engine) -> str | None:
    """Return the revision that the database is at; None if it notes none."""
    if not sa.inspect(engine).has_table(VERSION_TABLE):
        return None
    with engine.begin() as db:
        return db.scalar(sa.select(_versions.c.version_num))


def upgrade(engine: sa.Engine) -> None:
    """Bring the tables to the newest revision; an empty database gets them all.

    :raises ModuleNotFoundError: if Alembic is not installed (extra ``migrations``).
    """
    from alembic import command  # noqa: PLC0415 - only who upgrades needs it
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as db:
        config.attributes["connection"] = db
        command.upgrade(config, "head")
