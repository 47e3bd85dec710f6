"""Whether a database can serve as a store is said before the first caller finds out."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from flask_otp_mpp.core.ports import StoreError, UnfitStore
from flask_otp_mpp.stores.sql import schema
from flask_otp_mpp.stores.sql.sqlite import is_busy
from flask_otp_mpp.stores.sql.tables import MYSQL, Exact, metadata

# The oldest that the suite could be expected to pass on: all are past or near the end of support.
OLDEST: Final = {
    "SQLite": (3, 35),
    "PostgreSQL": (13,),
    "MariaDB": (10, 6),
    "MySQL": (8, 0),
}
_INIT: Final = "run `flask otp-mpp init-db`, or your own migrations"
_UPGRADE: Final = "run `flask otp-mpp upgrade-db`, or your own migrations"


def check(engine: sa.Engine) -> str:
    """Look whether a store can work on a database, and leave no connection open.

    :returns: what was found, in one line without a password.
    :raises UnfitStore: naming what was found instead, and what mends it.
    :raises StoreError: if the database does not answer, and may do so later.
    """
    if engine.dialect.name == "sqlite":
        _refuse_missing_file(engine.url)
    failure: SQLAlchemyError
    try:
        with engine.connect() as db:
            db.detach()  # it is closed, and not kept for a forked worker to share
            return _found(db)
    except SQLAlchemyError as error:
        failure = error
    said = f"{place(engine.url)} does not answer: {_said(failure, engine.url)}"
    if engine.dialect.name == "sqlite" and not is_busy(getattr(failure, "orig", None)):
        raise UnfitStore(f"{said}; check the file and its permissions") from failure
    raise StoreError(f"{said}; check that it runs, and OTP_MPP_STORE") from failure


def place(url: sa.URL) -> str:
    """Name a database as it may be shown: without password, and without the query's secrets."""
    return url.set(query={}).render_as_string(hide_password=True)


def _refuse_missing_file(url: sa.URL) -> None:
    """Refuse a file that is not there before SQLite makes an empty one of its name."""
    name = url.database or ""
    if name.startswith("file:") or Path(name).exists():
        return
    if not Path(name).parent.is_dir():
        raise UnfitStore(
            f"{place(url)} lies in a folder that does not exist; make it, then {_INIT}"
        )
    raise UnfitStore(f"{place(url)} does not exist; {_INIT}")


def _found(db: sa.Connection) -> str:
    kind = _kind(db.dialect)
    version = db.dialect.server_version_info or ()
    number = ".".join(str(part) for part in version)
    shown = f"{kind} {number} at {place(db.engine.url)}"
    if version < OLDEST[kind]:
        wanted = ".".join(str(part) for part in OLDEST[kind])
        raise UnfitStore(f"{shown} is too old; use {kind} {wanted} or newer")
    if faults := _faults(db):
        raise UnfitStore(f"{shown} {'; '.join(faults)}")
    return f"{shown}, tables present"


def _kind(dialect: sa.Dialect) -> str:
    if dialect.name in MYSQL:
        return "MariaDB" if getattr(dialect, "is_mariadb", False) else "MySQL"
    return {"sqlite": "SQLite", "postgresql": "PostgreSQL"}[dialect.name]


def _faults(db: sa.Connection) -> list[str]:
    inspector = sa.inspect(db)
    there = set(inspector.get_table_names())
    tables = metadata.sorted_tables
    if (noted := _revision(db, there)) is not None and noted < schema.REVISION:
        return [f"has tables of revision {noted}, older than {schema.REVISION}; {_UPGRADE}"]
    if missing := [table.name for table in tables if table.name not in there]:
        return [f"lacks {_listed(missing)}; {_INIT}"]
    faults = []
    for table in tables:
        found = {column["name"]: column["type"] for column in inspector.get_columns(table.name)}
        if lacking := [name for name in table.columns.keys() if name not in found]:  # noqa: SIM118
            faults.append(
                f"has {table.name} of another version, without {_listed(lacking)}; {_UPGRADE}"
            )
        if db.dialect.name not in MYSQL:
            continue
        blurred = [
            column.name
            for column in table.columns
            if isinstance(column.type, Exact)
            and not isinstance(found.get(column.name, sa.VARBINARY()), sa.VARBINARY)
        ]
        if blurred:
            faults.append(
                f"would take 'Ada' for 'ada' in {table.name}, {_listed(blurred)}; "
                f"drop the table and {_INIT}"
            )
        engine = inspector.get_table_options(table.name).get("mysql_engine", "InnoDB")
        if engine != "InnoDB":
            faults.append(
                f"keeps {table.name} in {engine}, without transactions; "
                f"`ALTER TABLE {table.name} ENGINE=InnoDB`"
            )
    return faults


def _revision(db: sa.Connection, there: set[str]) -> str | None:
    """Return the revision that is noted; none is by a host that migrates the tables itself."""
    if schema.VERSION_TABLE not in there:
        return None
    return db.scalar(
        sa.select(sa.column("version_num")).select_from(sa.table(schema.VERSION_TABLE))
    )


def _listed(names: list[str]) -> str:
    return ", ".join(repr(name) for name in names)


def _said(error: SQLAlchemyError, url: sa.URL) -> str:
    """Return the first line of what a driver said, without the password should it hold it."""
    lines = str(getattr(error, "orig", None) or error).strip().splitlines()
    text = lines[0] if lines else type(error).__name__
    secrets = [url.password, *(url.query.get(name) for name in ("password", "passwd", "passfile"))]
    for secret in secrets:
        if isinstance(secret, str) and secret:
            text = text.replace(secret, "***")
    return text
