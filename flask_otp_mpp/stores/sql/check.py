"""Check whether a database can serve as a store, before the first caller finds out."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, quote_plus

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from flask_otp_mpp.core.clock import Clock
from flask_otp_mpp.core.ports import StoreError, UnfitStore
from flask_otp_mpp.core.secret import clear_frames
from flask_otp_mpp.stores.sql import clock, schema
from flask_otp_mpp.stores.sql.dialect import Database, first_line

_INIT: Final = "run `flask otp-mpp init-db`, or your own migrations"
_UPGRADE: Final = "run `flask otp-mpp upgrade-db`, or your own migrations"


def check(engine: sa.Engine, database: Database, own_clock: Clock | None) -> str:
    """Check a database, and leave no connection open.

    :param own_clock: of the store; None if it decides by the server's.
    :returns: what was found, in one line without a password.
    :raises UnfitStore: with what was found instead, and what to do.
    :raises StoreError: if the database does not answer, and may do so later.
    """
    if (missing := database.missing(engine.url)) is not None:
        raise UnfitStore(f"{place(engine.url)} {missing} {_INIT}")
    try:
        with engine.connect() as db:
            db.detach()  # it is closed, and not kept for a forked worker to share
            found = _found(db, database)
            clock.look(db, database, own_clock)
            return found
    except SQLAlchemyError as error:
        failure = error
    except NotImplementedError as error:  # of SQLAlchemy, about a version
        raise UnfitStore(f"{place(engine.url)} is no database of ours: {error}") from None
    raise fault(failure, engine.url, database)


def fault(failure: SQLAlchemyError, url: sa.URL, database: Database) -> StoreError:
    """Return what to raise when a database could not be checked, or its tables not be changed.

    :returns: UnfitStore for what stays until it is corrected, such as an unknown user.
    """
    clear_frames(failure)  # a driver's hold the password of the connection
    lasting, answers = None, False
    if isinstance(failure, DBAPIError):
        lasting, answers = database.access_fault(failure), database.answers(failure)
    error: StoreError
    if lasting is not None:
        error = UnfitStore(f"{place(url)} can't be used: {_without_secrets(lasting, url)}")
    else:
        said = _without_secrets(first_line(failure), url)
        how = "can't serve now" if answers else "does not answer"
        error = StoreError(f"{place(url)} {how}: {said}; check that it runs, and OTP_MPP_STORE")
    error.__cause__ = failure
    return error


def place(url: sa.URL) -> str:
    """Name a database as it may be shown: without password, and without the query's secrets."""
    return url.set(query={}).render_as_string(hide_password=True)


def _found(db: sa.Connection, database: Database) -> str:
    url = db.engine.url
    if (unfit := database.unfit(db)) is not None:
        raise UnfitStore(f"{place(url)} {unfit}")
    kind, oldest = database.product(db.dialect)
    version = db.dialect.server_version_info or ()
    shown = f"{kind} {_dotted(version)} at {place(url)}"
    if version < oldest:
        raise UnfitStore(f"{shown} is too old; use {kind} {_dotted(oldest)} or newer")
    if faults := _faults(db, database):
        raise UnfitStore(f"{shown} {'; '.join(faults)}")
    _write_nothing(db)
    return f"{shown}, tables present"


def _faults(db: sa.Connection, database: Database) -> list[str]:
    noted = _revision(db, database)
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


def _revision(db: sa.Connection, database: Database) -> str | None:
    """Return the noted revision; None also if this user may not read it.

    Such a user can serve, and the columns are looked at as well.
    """
    try:
        with db.begin_nested():
            return schema.revision(db)
    except DBAPIError as error:
        if database.access_fault(error) is None:
            raise
        return None


def _write_nothing(db: sa.Connection) -> None:
    """Do to each table what serving does, to no row of it; it fails if that is not allowed.

    The transaction is not committed.
    """
    for table in schema.metadata.sorted_tables:
        [key] = table.primary_key.columns
        none = key == ""
        db.execute(sa.select(key).where(none).with_for_update())
        rows = sa.select(*table.columns).where(sa.false())
        db.execute(sa.insert(table).from_select(list(table.columns), rows))
        db.execute(sa.update(table).where(none).values({key: key}))
        db.execute(sa.delete(table).where(none))


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
