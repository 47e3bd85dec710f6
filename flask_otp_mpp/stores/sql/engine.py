"""The store's connections are its own: few, short of patience, and never shared over a fork.

Nothing is waited for longer than three seconds, unless other terms were made, and a verb for which
one thing after another goes wrong gives up after about five, as its caller does: a worker that
waits serves nobody else.
"""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DBAPIError

from flask_otp_mpp.stores.options import DEFAULT, POOL_SECONDS, StoreOptions
from flask_otp_mpp.stores.sql.dialect import BEGIN
from flask_otp_mpp.stores.sql.sqlite import Watchful
from flask_otp_mpp.stores.sql.tables import MYSQL, name_engine_of_mysql
from flask_otp_mpp.stores.sql.urls import NO_URL, read_url

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import ExceptionContext

IDLE_SECONDS: Final = 5
"""PostgreSQL, MariaDB: after which they end the transaction of a process that has vanished."""
RECYCLE_SECONDS: Final = 200
"""Servers: age at which a connection is replaced; balancers forget idle ones after 4 minutes."""

# MULTI_STATEMENTS, as what a verb says at once is one text; FOUND_ROWS, which SQLAlchemy expects.
_CLIENT_FLAGS: Final = 1 << 16 | 1 << 1
# The server may only be read: it is a replica by now, and a new connection may find the primary.
READ_ONLY: Final = {"25006", 1290, 1792}


def connect(url: str, options: StoreOptions = DEFAULT) -> sa.Engine:
    """Make the engine for a store's URL; nothing is opened before the first transaction.

    :raises ValueError: if the URL can't be used; the message holds no password.
    """
    parsed = read_url(url)
    backend = parsed.get_backend_name()
    # Our joins begin from a single row, which SQLAlchemy takes for a mistake on MySQL.
    # A verb ends its transaction before it returns the connection: no need for a ROLLBACK.
    common = {"hide_parameters": True, "enable_from_linting": False, "pool_reset_on_return": None}
    try:
        arguments = _sqlite(options) if backend == "sqlite" else _server(parsed, options)
        engine = sa.create_engine(parsed, **common, **arguments)
    except ModuleNotFoundError as error:
        extra = "mysql" if backend in MYSQL else backend
        raise ValueError(
            f"needs a database driver that is not installed: {error}; "
            f"pip install 'flask-otp-mpp[{extra}]'"
        ) from None
    except ImportError as error:  # psycopg is there, and libpq is not
        raise ValueError(
            f"needs a database driver that does not load: {str(error).partition(chr(10))[0]}; "
            "install libpq, or pip install 'psycopg[binary]'"
        ) from None
    except (ArgumentError, ValueError):
        raise ValueError(NO_URL) from None
    if backend == "sqlite":
        sa.event.listen(engine, "connect", _prepare_sqlite)
    else:
        sa.event.listen(engine, "handle_error", _leave_replica)
    if backend == "postgresql":
        from flask_otp_mpp.stores.sql.postgresql import patiently  # noqa: PLC0415 - needs psycopg

        sa.event.listen(engine, "do_connect", patiently(options.silence_timeout))
    if backend in MYSQL:
        name_engine_of_mysql()
        sa.event.listen(engine, "connect", _prepare_mysql)
    sa.event.listen(engine, "begin", _begin)
    _leave_behind_on_fork(engine)
    return engine


def error_code(error: DBAPIError) -> str | int | None:
    """Return the SQLSTATE that PostgreSQL gave to an error, or the number that MySQL gave."""
    state: str | None = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return state
    first = error.orig.args[0] if error.orig is not None and error.orig.args else None
    return first if isinstance(first, int) else None


def _sqlite(options: StoreOptions) -> dict[str, Any]:
    # Another writer is waited for, and while it works connections are scarce.
    return {
        "connect_args": {"timeout": options.silence_timeout, "factory": Watchful},
        "pool_timeout": options.silence_timeout,
        "pool_size": options.pool_size,
        "max_overflow": options.pool_overflow,
    }


def _server(url: sa.URL, options: StoreOptions) -> dict[str, Any]:
    arguments = (
        _mysql(url, options) if url.get_backend_name() in MYSQL else _postgresql(url, options)
    )
    return {
        "connect_args": arguments,
        "paramstyle": "format",  # by position, as on SQLite
        "pool_timeout": POOL_SECONDS,
        "pool_recycle": RECYCLE_SECONDS,
        "pool_size": options.pool_size,
        "max_overflow": options.pool_overflow,
        "pool_pre_ping": options.pre_ping,
        "pool_use_lifo": True,  # so that others may rest
    }


def _postgresql(url: sa.URL, options: StoreOptions) -> dict[str, Any]:
    """Return what the driver is told beside the URL; what the URL's query says is left to it."""
    arguments = {
        "connect_timeout": options.connect_timeout,  # libpq takes less than 2 for 2
        "tcp_user_timeout": options.silence_timeout * 1000,
        "application_name": "flask-otp-mpp",
    }
    bounds = (
        f"-c statement_timeout={options.statement_timeout}s "
        f"-c lock_timeout={options.statement_timeout}s "
        f"-c idle_in_transaction_session_timeout={IDLE_SECONDS}s"
    )
    asked = url.query.get("options", ())
    given = (asked,) if isinstance(asked, str) else asked
    own = {name: value for name, value in arguments.items() if name not in url.query}
    # The last of several settings counts.
    # What a verb says is never the same twice: the driver has nothing to prepare.
    spoken = {"autocommit": True, "prepare_threshold": None}
    return {**own, **spoken, "options": " ".join((bounds, *given))}


def _mysql(url: sa.URL, options: StoreOptions) -> dict[str, Any]:
    """Return what the driver is told beside the URL; what the URL's query says is left to it."""
    arguments = {
        "connect_timeout": options.connect_timeout,
        "read_timeout": options.silence_timeout,
        "write_timeout": options.silence_timeout,
        "init_command": (
            f"SET SESSION innodb_lock_wait_timeout = {options.statement_timeout}, "
            "sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES') "
            # MariaDB reads on here; MySQL knows no such limit, and holds it for a comment.
            f"/*M! , idle_transaction_timeout = {IDLE_SECONDS} */"
        ),
    }
    own = {name: value for name, value in arguments.items() if name not in url.query}
    # By another charset texts would be lost.
    return {**own, "autocommit": True, "charset": "utf8mb4", "client_flag": _CLIENT_FLAGS}


def _leave_behind_on_fork(engine: sa.Engine) -> None:
    """Let a forked worker open connections of its own; two processes on one would mix answers."""
    reference = weakref.ref(engine)

    def leave() -> None:
        if (alive := reference()) is not None:
            alive.dispose(close=False)

    os.register_at_fork(after_in_child=leave)


def _leave_replica(context: ExceptionContext) -> None:
    error = context.sqlalchemy_exception
    if isinstance(error, DBAPIError) and error_code(error) in READ_ONLY:
        context.is_disconnect = True


def _prepare_sqlite(connection: Watchful, _record: object) -> None:
    connection.isolation_level = None  # the driver must not begin transactions of its own
    connection.execute("PRAGMA journal_mode=WAL")
    connection.prepare()


def _prepare_mysql(connection: Any, _record: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")


def _begin(connection: sa.Connection) -> None:
    """Begin what SQLAlchemy takes for begun: no driver begins transactions of its own."""
    driver: Any = connection.connection.dbapi_connection
    if isinstance(driver, Watchful):
        driver.take_lightly(connection.get_execution_options().get("lightly", False))
    connection.exec_driver_sql(BEGIN[connection.dialect.name])
