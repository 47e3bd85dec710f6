"""Make and upgrade the tables of the SQL store, by one process at a time.

Several hosts may be told at once to prepare one database: the second one waits for the first, and
then finds nothing to do.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import sqlalchemy as sa

from flask_otp_mpp.core.ports import StoreError, UnfitStore
from flask_otp_mpp.stores.options import StoreOptions
from flask_otp_mpp.stores.sql import schema
from flask_otp_mpp.stores.sql.dialect import Database
from flask_otp_mpp.stores.sql.engine import connect

STATEMENT_SECONDS: Final = 300
"""How long one statement may take: no request waits for it, and tables may be large."""
WAIT_SECONDS: Final = 60
"""How long a process waits for another one that makes or upgrades the tables."""


def change(url: sa.URL, options: StoreOptions, work: Callable[[sa.Connection], str]) -> str:
    """Do work on the tables while no other process does; return what was done.

    :param options: of the store; only the time for a statement is another.
    :raises StoreError: if another process takes too long.
    """
    engine, database = connect(
        url.render_as_string(hide_password=False),
        replace(options, statement_timeout=STATEMENT_SECONDS),
    )
    try:
        with engine.begin() as db:
            _lock(database, db)
            return work(db)
    finally:
        engine.dispose()


def _lock(database: Database, db: sa.Connection) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while not database.lock_tables(db):
        if time.monotonic() > end:
            raise StoreError(
                f"another process has been changing the tables for {WAIT_SECONDS} s; look what it "
                "waits for, then try again"
            )
        time.sleep(0.05)


def create(db: sa.Connection) -> str:
    """Make the tables that are missing, and note their revision if none is noted."""
    tables = [*schema.metadata.sorted_tables, schema.versions]
    there = set(sa.inspect(db).get_table_names())
    made = [table.name for table in tables if table.name not in there]
    for table in tables:
        table.create(db, checkfirst=True)
    if schema.revision(db) is None:
        db.execute(sa.insert(schema.versions).values(version_num=schema.REVISION))
    if not made:
        return f"nothing to do, the tables are of revision {schema.revision(db)}"
    return f"created {len(made)} tables: {', '.join(made)}"


def upgrade(db: sa.Connection) -> str:
    """Bring the tables to the newest revision; an empty database gets them all.

    :raises ModuleNotFoundError: if Alembic is not installed (extra ``migrations``).
    :raises UnfitStore: if a host migrates the tables itself.
    """
    from alembic import command  # noqa: PLC0415 - only who upgrades needs it
    from alembic.config import Config  # noqa: PLC0415

    noted = schema.revision(db)
    if noted is not None and noted >= schema.REVISION:
        return f"nothing to do, the tables are of revision {noted}"
    if noted is None and not set(schema.metadata.tables).isdisjoint(
        sa.inspect(db).get_table_names()
    ):
        raise UnfitStore(
            f"the tables are there without {schema.VERSION_TABLE}: your own migrations made them, "
            "and upgrade them"
        )
    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS))
    config.attributes["connection"] = db
    command.upgrade(config, "head")
    if noted is None:
        return f"created the tables, of revision {schema.REVISION}"
    return f"upgraded from revision {noted} to {schema.REVISION}"
