"""The store's connections are its own: few, short of patience, and never shared over a fork.

Nothing is waited for longer than three seconds, and a verb for which one thing after another goes
wrong gives up after about five, as its caller does: a worker that waits serves nobody else.
"""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DBAPIError

from flask_otp_mpp.stores.tables import MYSQL

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import ExceptionContext

BUSY_SECONDS: Final = 3
"""SQLite: how long another writer, or a free connection, is waited for."""
POOL_SECONDS: Final = 1
"""Servers: how long a free connection is waited for."""
CONNECT_SECONDS: Final = 2
"""Servers: how long a new connection may take; libpq takes no less for a limit."""
LOCK_SECONDS: Final = 2
"""Servers: how long one statement waits for another transaction's row, or works at all."""
SILENCE_SECONDS: Final = 3
"""Servers: after which a server that says nothing is held for lost; longer than for locks."""
IDLE_SECONDS: Final = 5
"""PostgreSQL, MariaDB: after which they end the transaction of a process that has vanished."""
RECYCLE_SECONDS: Final = 200
"""Servers: age at which a connection is replaced; balancers forget idle ones after 4 minutes."""
POOL_SIZE: Final = 5
"""Servers: connections that a process keeps; the newest is used first, so that others may rest."""
OVERFLOW: Final = 10
"""Servers: further connections while many requests come at once."""

_DRIVERS: Final = {
    "sqlite": "pysqlite",
    "postgresql": "psycopg",
    "mysql": "pymysql",
    "mariadb": "pymysql",
}
_SQLITE: Final[dict[str, Any]] = {
    "connect_args": {"timeout": BUSY_SECONDS},
    "pool_timeout": BUSY_SECONDS,
}
_SERVER: Final[dict[str, Any]] = {
    "isolation_level": "READ COMMITTED",
    "pool_timeout": POOL_SECONDS,
    "pool_recycle": RECYCLE_SECONDS,
    "pool_size": POOL_SIZE,
    "max_overflow": OVERFLOW,
    "pool_use_lifo": True,
    # A verb ends its transaction before it returns the connection: no need for another ROLLBACK.
    "pool_reset_on_return": None,
}
_POSTGRESQL: Final[dict[str, Any]] = {
    "connect_timeout": CONNECT_SECONDS,
    "tcp_user_timeout": SILENCE_SECONDS * 1000,
    "application_name": "flask-otp-mpp",
}
_POSTGRESQL_OPTIONS: Final = (
    f"-c statement_timeout={LOCK_SECONDS}s -c lock_timeout={LOCK_SECONDS}s "
    f"-c idle_in_transaction_session_timeout={IDLE_SECONDS}s"
)
_MYSQL: Final[dict[str, Any]] = {
    "connect_timeout": CONNECT_SECONDS,
    "read_timeout": SILENCE_SECONDS,
    "write_timeout": SILENCE_SECONDS,
    "charset": "utf8mb4",
    "init_command": (
        f"SET SESSION innodb_lock_wait_timeout = {LOCK_SECONDS}, "
        "sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES') "
        # MariaDB reads on here; MySQL knows no such limit, and holds it for a comment.
        f"/*M! , idle_transaction_timeout = {IDLE_SECONDS} */"
    ),
}
# The server may only be read: it is a replica by now, and a new connection may find the primary.
_READ_ONLY: Final = {"25006", 1290, 1792}
_USE: Final = (
    "use sqlite:////path/otp.db, postgresql+psycopg://user@host/database, "
    "mysql+pymysql://user@host/database, or memory://"
)
_NO_URL: Final = f"is not a store URL; {_USE}"


def connect(url: str) -> sa.Engine:
    """Make the engine for a store's URL; nothing is opened before the first transaction.

    :raises ValueError: if the URL can't be used; the message holds no password.
    """
    parsed = _parse(url)
    if not _is_ours(parsed):
        raise ValueError(_NO_URL)
    backend = parsed.get_backend_name()
    if backend == "sqlite" and _in_memory(parsed):
        raise ValueError(
            "names a SQLite database in memory, which is another one for each connection; "
            "use a file (sqlite:////path/otp.db), or memory:// for trials"
        )
    # Our joins begin from a single row, which SQLAlchemy takes for a mistake on MySQL.
    common = {"hide_parameters": True, "enable_from_linting": False}
    options = _SQLITE if backend == "sqlite" else {**_SERVER, "connect_args": _arguments(parsed)}
    try:
        engine = sa.create_engine(parsed, **common, **options)
    except ModuleNotFoundError as error:
        extra = "mysql" if backend in MYSQL else backend
        raise ValueError(
            f"needs a database driver that is not installed: {error}; "
            f"install flask-otp-mpp[{extra}]"
        ) from None
    except (ArgumentError, ValueError):
        raise ValueError(_NO_URL) from None
    if backend == "sqlite":
        sa.event.listen(engine, "connect", _prepare_sqlite)
        sa.event.listen(engine, "begin", _begin_immediate)
    else:
        sa.event.listen(engine, "handle_error", _leave_replica)
    if backend == "postgresql":
        from flask_otp_mpp.stores.patience import open_patiently  # noqa: PLC0415 - needs psycopg

        sa.event.listen(engine, "do_connect", open_patiently)
    _leave_behind_on_fork(engine)
    return engine


def error_code(error: DBAPIError) -> str | int | None:
    """Return the SQLSTATE that PostgreSQL gave to an error, or the number that MySQL gave."""
    state: str | None = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return state
    first = error.orig.args[0] if error.orig is not None and error.orig.args else None
    return first if isinstance(first, int) else None


def _parse(url: str) -> sa.URL:
    """Read a URL; one that names no driver means the one that our extras install."""
    try:
        parsed = sa.make_url(url)
    except (ArgumentError, ValueError):  # a message of theirs may quote a part of the password
        raise ValueError(_NO_URL) from None
    ours = _DRIVERS.get(parsed.drivername)
    return parsed if ours is None else parsed.set(drivername=f"{parsed.drivername}+{ours}")


def _is_ours(url: sa.URL) -> bool:
    """Tell whether the suite runs on this kind of database, by this driver."""
    backend, _, driver = url.drivername.partition("+")
    return _DRIVERS.get(backend) == driver


def _arguments(url: sa.URL) -> dict[str, Any]:
    """Return what the driver is told beside the URL; what the URL's query says is left to it."""
    if url.get_backend_name() in MYSQL:
        return {name: value for name, value in _MYSQL.items() if name not in url.query}
    arguments = {name: value for name, value in _POSTGRESQL.items() if name not in url.query}
    asked = url.query.get("options", ())
    given = (asked,) if isinstance(asked, str) else asked
    # The last of several settings counts.
    return {**arguments, "options": " ".join((_POSTGRESQL_OPTIONS, *given))}


def _leave_behind_on_fork(engine: sa.Engine) -> None:
    """Let a forked worker open connections of its own; two processes on one would mix answers."""
    reference = weakref.ref(engine)

    def leave() -> None:
        if (alive := reference()) is not None:
            alive.dispose(close=False)

    os.register_at_fork(after_in_child=leave)


def _leave_replica(context: ExceptionContext) -> None:
    error = context.sqlalchemy_exception
    if isinstance(error, DBAPIError) and error_code(error) in _READ_ONLY:
        context.is_disconnect = True


def _in_memory(url: sa.URL) -> bool:
    """Tell whether a SQLite URL names no file, in any of the spellings that SQLite knows."""
    name = (url.database or "").removeprefix("file:")
    return name in ("", ":memory:") or not url.query.keys().isdisjoint({"mode", "vfs"})


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver must not begin transactions of its own
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")


def _begin_immediate(connection: sa.Connection) -> None:
    # A deferred transaction that reads first fails when it then has to write beside another one.
    connection.exec_driver_sql("BEGIN IMMEDIATE")
