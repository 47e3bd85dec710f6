"""The engine of a SQL store: its URL, its pool, and connections that are never shared over a fork.

Nothing is waited for longer than three seconds, unless other options were given, and a verb for
which one thing after another goes wrong gives up after about five, as its caller does: a worker
that waits serves no other request.
"""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DBAPIError

from flask_otp_mpp.stores.options import StoreOptions
from flask_otp_mpp.stores.sql import schema
from flask_otp_mpp.stores.sql.dialect import DRIVERS, Database, Failure, first_line, load

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import ExceptionContext

_NO_URL: Final = (
    "is not a store URL; "
    "use sqlite:////path/otp.db, postgresql+psycopg://user@host/database, "
    "mysql+pymysql://user@host/database, redis://host:6379/0, or memory://"
)
_ENGINE: Final = (
    "is an engine, whose connections are the host's; give the URL of its database, which for "
    "SQLite must be a file (sqlite:////path/otp.db), or memory:// for trials"
)


def connect(url: str, options: StoreOptions) -> tuple[sa.Engine, Database]:
    """Make the engine for a store's URL; nothing is opened before the first transaction.

    :raises ValueError: if the URL can't be used; the message holds no password.
    """
    parsed = read_url(url)
    name = parsed.get_backend_name()
    try:
        database = load(name)(options)
        arguments = database.engine_options(parsed)
        try:
            engine = sa.create_engine(
                parsed,
                hide_parameters=True,
                # Our joins begin from a single row, which SQLAlchemy takes for a mistake on MySQL.
                enable_from_linting=False,
                # A verb ends its transaction before it returns the connection.
                pool_reset_on_return=None,
                **arguments,
            )
        except (ArgumentError, ValueError):
            raise ValueError(_NO_URL) from None
    except ModuleNotFoundError as error:
        raise ValueError(
            f"needs a database driver that is not installed: {error}; "
            f"pip install 'flask-otp-mpp[{DRIVERS[name].module}]'"
        ) from None
    except ImportError as error:  # the driver is there, and not the library that it needs
        raise ValueError(
            f"needs a database driver that does not load: {first_line(error)}; "
            f"install {DRIVERS[name].library}"
        ) from None
    schema.set_options(database.table_options)
    database.prepare(engine)

    def leave_replica(context: ExceptionContext) -> None:
        error = context.sqlalchemy_exception
        if isinstance(error, DBAPIError) and database.failure(error) is Failure.READ_ONLY:
            context.is_disconnect = True

    sa.event.listen(engine, "handle_error", leave_replica)
    sa.event.listen(engine, "begin", database.begin)
    _leave_behind_on_fork(engine)
    return engine, database


def read_url(url: str) -> sa.URL:
    """Read a URL of ours; one that names no driver means the one that our extras install.

    :raises ValueError: if it names none; the message holds no password.
    """
    if isinstance(url, sa.Engine):
        raise ValueError(_ENGINE)
    try:
        parsed = sa.make_url(url)
    except (ArgumentError, ValueError):  # a message of theirs may quote a part of the password
        raise ValueError(_NO_URL) from None
    backend, _, driver = parsed.drivername.partition("+")
    ours = DRIVERS.get(backend)
    # The store is not tested with other drivers.
    if ours is None or driver not in ("", ours.name):
        raise ValueError(f"found {parsed.drivername}://, which {_NO_URL}")
    return parsed.set(drivername=f"{backend}+{ours.name}")


def _leave_behind_on_fork(engine: sa.Engine) -> None:
    """Let a forked worker open connections of its own; two processes on one would mix answers."""
    reference = weakref.ref(engine)

    def leave() -> None:
        if (usable := reference()) is not None:
            usable.dispose(close=False)

    os.register_at_fork(after_in_child=leave)
