"""Check whether a database can serve as a store, before the first caller finds out."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, quote_plus

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from flask_otp_mpp.core.ports import StoreError, UnfitStore
from flask_otp_mpp.core.secret import clear_frames
from flask_otp_mpp.stores.sql import schema
from flask_otp_mpp.stores.sql.dialect import Database, first_line

_INIT: Final = "run `flask otp-mpp init-db`, or your own migrations"
_UPGRADE: Final = "run `flask otp-mpp upgrade-db`, or your own migrations"


def check(engine: sa.Engine, database: Database) -> str:
    """Check a database, and leave no connection open.

    :returns: what was found, in one line without a password.
    :raises UnfitStore: with what was found instead, and what to do.
    :raises StoreError: if the database does not answer, and may do so later.
    """
    if (missing := database.missing(engine.url)) is not None:
        raise UnfitStore(f"{place(engine.url)} {missing} {_INIT}")
    failure: SQLAlchemyError
    try:
        with engine.connect() as db:
            db.detach()  # it is closed, and not kept for a forked worker to share
            return _found(db, database)
    except SQLAlchemyError as error:
        failure = error
        clear_frames(failure)  # a driver's hold the password of the connection
    if (unfit := access_fault(failure, engine.url, database)) is not None:
        raise unfit
    said = _without_secrets(first_line(failure), engine.url)
    raise StoreError(
        f"{place(engine.url)} does not answer: {said}; check that it runs, and OTP_MPP_STORE"
    ) from failure


def access_fault(failure: SQLAlchemyError, url: sa.URL, database: Database) -> UnfitStore | None:
    """Return what to raise if a database can't be used as this user or under this name."""
    fault = database.access_fault(failure) if isinstance(failure, DBAPIError) else None
    if fault is None:
        return None
    unfit = UnfitStore(f"{place(url)} can't be used: {_without_secrets(fault, url)}")
    unfit.__cause__ = failure
    return unfit


def place(url: sa.URL) -> str:
    """Name a database as it may be shown: without password, and without the query's secrets."""
    return url.set(query={}).render_as_string(hide_password=True)


def _found(db: sa.Connection, database: Database) -> str:
    kind, oldest = database.product(db.dialect)
    version = db.dialect.server_version_info or ()
    shown = f"{kind} {_dotted(version)} at {place(db.engine.url)}"
    if version < oldest:
        raise UnfitStore(f"{shown} is too old; use {kind} {_dotted(oldest)} or newer")
    if faults := _faults(db, database):
        raise UnfitStore(f"{shown} {'; '.join(faults)}")
    return f"{shown}, tables present"


def _faults(db: sa.Connection, database: Database) -> list[str]:
    noted = schema.revision(db)
    if noted is not None and noted < schema.REVISION:
        return [f"has tables of revision {noted}, older than {schema.REVISION}; {_UPGRADE}"]
    inspector = sa.inspect(db)
    there = set(inspector.get_table_names())
    tables = schema.metadata.sorted_tables
    if missing := [table.name for table in tables if table.name not in there]:
        return [f"lacks {_listed(missing)}; {_INIT}"]
    faults = []
    for table in tables:
        found = {column["name"] for column in inspector.get_columns(table.name)}
        if lacking := [column.name for column in table.columns if column.name not in found]:
            faults.append(
                f"has {table.name} of another version, without {_listed(lacking)}; {_UPGRADE}"
            )
        faults += database.table_faults(inspector, table)
    return faults


def _dotted(version: tuple[object, ...]) -> str:
    return ".".join(map(str, version))


def _listed(names: list[str]) -> str:
    return ", ".join(map(repr, names))


def _without_secrets(text: str, url: sa.URL) -> str:
    """Return what a driver said without the password, should it hold it."""
    secrets = [url.password, *(url.query.get(name) for name in ("password", "passwd", "passfile"))]
    for secret in secrets:
        if isinstance(secret, str) and secret:
            for spelling in (secret, quote(secret, safe=""), quote_plus(secret)):
                text = text.replace(spelling, "***")
    return text
