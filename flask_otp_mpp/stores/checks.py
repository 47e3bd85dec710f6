"""Whether a database can serve as a store is said before the first caller finds out."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import SQLAlchemyError

from flask_otp_mpp.core.ports import StoreError
from flask_otp_mpp.stores.tables import MYSQL, Exact, metadata

# The oldest that the suite could be expected to pass on: all are past or near the end of support.
OLDEST: Final = {
    "SQLite": (3, 35),
    "PostgreSQL": (13,),
    "MariaDB": (10, 6),
    "MySQL": (8, 0),
}
_INIT: Final = "run `flask otp-mpp init-db`"


def check(engine: sa.Engine) -> str:
    """Look whether a store can work on a database.

    :returns: what was found, in one line without a password.
    :raises StoreError: naming what was found instead, and what mends it.
    """
    failure: SQLAlchemyError
    try:
        with engine.connect() as db:
            return _found(db)
    except SQLAlchemyError as error:
        failure = error
    raise StoreError(
        f"{place(engine.url)} does not answer: {_said(failure, engine.url)}; "
        "check that it runs, and OTP_MPP_STORE"
    ) from failure


def place(url: sa.URL) -> str:
    """Name a database as it may be shown: without password, and without the query's secrets."""
    return url.set(query={}).render_as_string(hide_password=True)


def _found(db: sa.Connection) -> str:
    kind = _kind(db.dialect)
    version = db.dialect.server_version_info or ()
    number = ".".join(str(part) for part in version)
    shown = f"{kind} {number} at {place(db.engine.url)}"
    if version < OLDEST[kind]:
        wanted = ".".join(str(part) for part in OLDEST[kind])
        raise StoreError(f"{shown} is too old; use {kind} {wanted} or newer")
    if faults := _faults(db):
        raise StoreError(f"{shown} {'; '.join(faults)}")
    return f"{shown}, tables present"


def _kind(dialect: sa.Dialect) -> str:
    if dialect.name in MYSQL:
        return "MariaDB" if getattr(dialect, "is_mariadb", False) else "MySQL"
    return {"sqlite": "SQLite", "postgresql": "PostgreSQL"}[dialect.name]


def _faults(db: sa.Connection) -> list[str]:
    inspector = sa.inspect(db)
    there = set(inspector.get_table_names())
    tables = metadata.sorted_tables
    if missing := [table.name for table in tables if table.name not in there]:
        return [f"lacks {_listed(missing)}; {_INIT}"]
    faults = []
    for table in tables:
        found = {column["name"]: column["type"] for column in inspector.get_columns(table.name)}
        if lacking := [name for name in table.columns.keys() if name not in found]:  # noqa: SIM118
            faults.append(
                f"has {table.name} of another version, without {_listed(lacking)}; upgrade it"
            )
        if db.dialect.name not in MYSQL:
            continue
        blurred = [
            column.name
            for column in table.columns
            if isinstance(column.type, Exact)
            and not isinstance(found.get(column.name, mysql.VARBINARY()), mysql.VARBINARY)
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
