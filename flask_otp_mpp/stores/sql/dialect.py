"""What the SQL store needs of a database: one protocol, which one module for each database meets.

The other modules know no database by name. A module is imported when its database is used, and with
it the driver.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from enum import Enum, auto
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple, Protocol, TypeAlias

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from flask_otp_mpp.stores.options import POOL_SECONDS, StoreOptions
from flask_otp_mpp.stores.sql.write_queue import WriteQueue

if TYPE_CHECKING:
    from flask_otp_mpp.stores.sql.statements import BoundStatement

Row: TypeAlias = tuple[Any, ...]
Batch: TypeAlias = "Sequence[BoundStatement]"


class Driver(NamedTuple):
    """The one driver of a database with which the suite is run."""

    name: str
    module: str  # of this package, and the extra that installs the driver
    library: str = ""  # what to install if it does not load


_PYMYSQL: Final = Driver("pymysql", "mysql")
DRIVERS: Final = {
    "sqlite": Driver("pysqlite", "sqlite"),
    "postgresql": Driver("psycopg", "postgresql", "libpq, or pip install 'psycopg[binary]'"),
    "mysql": _PYMYSQL,
    "mariadb": _PYMYSQL,
}
"""By SQLAlchemy's name of the database."""
GRANT: Final = (
    "grant it SELECT, INSERT, UPDATE and DELETE on otp_mpp_challenges, otp_mpp_requests and "
    "otp_mpp_user_limits, and SELECT on otp_mpp_revision"
)
PRIMARY: Final = "name the primary in OTP_MPP_STORE"
IDLE_SECONDS: Final = 5
"""After which a server ends the transaction of a process that has vanished."""
RECYCLE_SECONDS: Final = 200
"""Age at which a connection to a server is replaced; balancers forget idle ones after 4 minutes."""


class Failure(Enum):
    """What an error says about the transaction that it ended."""

    ROLLED_BACK = auto()  # by the server, such as for a deadlock; it may succeed if it is run again
    READ_ONLY = auto()  # the server is a replica by now; a new connection may find the primary
    REPLACED = auto()  # the file of the connection is not the one of its name any more
    TOO_SLOW = auto()  # a statement took longer than it may
    OTHER = auto()


class Database(Protocol):
    """A database as one store uses it; what most databases do alike is written here.

    :param options: of the store.
    :ivar write_queue: of the threads that want to write, where a database has one writer.
    :cvar time: SQL for the server's time in microseconds since the epoch; None if there is no
        server, and the machine's clock decides.
    :cvar max_age: seconds after which a connection is replaced.
    :cvar purge_limit: rows that one transaction of a purge may delete.
    :cvar table_options: what SQLAlchemy's tables are told for it.
    :cvar failures: what the codes of its errors mean.
    :cvar remedies: for a driver's message that a pattern finds: what to do. The pattern's first
        group is shown.
    """

    time: ClassVar[str | None] = None
    max_age: ClassVar[float] = RECYCLE_SECONDS
    purge_limit: ClassVar[int] = sys.maxsize
    table_options: ClassVar[Mapping[str, str]] = MappingProxyType({})
    failures: ClassVar[Mapping[Any, Failure]] = MappingProxyType({})
    remedies: ClassVar[Mapping[str, str]]
    options: StoreOptions
    write_queue: WriteQueue | None = None

    def __init__(self, options: StoreOptions) -> None:
        self.options = options

    @staticmethod
    def code(error: DBAPIError) -> object:
        """Return the code of an error."""
        return None

    def engine_options(self, url: sa.URL) -> dict[str, Any]:
        """Return the arguments of ``create_engine``; what the URL's query says is left to it.

        :raises ValueError: if the URL can't be that of a store.
        """

    def prepare(self, engine: sa.Engine) -> None:
        """Attach to an engine what its connections need."""

    def create(self, url: sa.URL) -> None:
        """Make the empty database, where it is a file that is missing."""
        return

    def begin(self, db: sa.Connection) -> None:
        """Begin a transaction that SQLAlchemy takes for begun; no driver begins one by itself."""

    def execute(
        self, driver: Any, batch: Batch, *, begin: bool, commit: bool, durable: bool
    ) -> list[list[Row]]:
        """Execute statements on a driver's connection, in one round trip.

        :param begin: whether to begin a transaction before.
        :param commit: whether to commit it after.
        :param durable: whether the transaction that begins here must survive a crash; if not, its
            commit need not wait for the disk.
        :returns: the rows of each statement.
        """

    def yield_to_others(self) -> None:
        """Leave the database free between two transactions of many, where it has one writer."""
        return

    def insert_if_missing(self, table: sa.Table, values: Mapping[str, Any]) -> sa.Insert | None:
        """Insert a row unless its key exists; wait for a transaction that inserts the same key.

        :returns: None where each transaction locks all rows: none has to be there to be locked.
        """
        return None

    def delete_some(
        self, db: sa.Connection, key: sa.Column[str], over: sa.ColumnElement[bool], limit: int
    ) -> int:
        """Delete rows that are over, and return how many.

        The condition is checked again on deleting: a row may have been renewed since it was found.
        """

    def failure(self, error: DBAPIError) -> Failure:
        """Return what an error means for the transaction."""
        return self.failures.get(self.code(error), Failure.OTHER)

    def answers(self, error: DBAPIError) -> bool:
        """Tell whether an error is what a server has answered, not that it did not answer."""
        return False

    def access_fault(self, error: DBAPIError) -> str | None:
        """Return a fault that stays until corrected, such as an unknown user, with the remedy.

        :returns: None if the database may answer later.
        """
        for pattern, remedy in self.remedies.items():
            if (match := re.search(pattern, first_line(error))) is not None:
                said = match[1].replace('"', "'")
                return f"{said}; {match.expand(remedy)}"
        return None

    def product(self, dialect: sa.Dialect) -> tuple[str, tuple[int, ...]]:
        """Return the name of the product, and its oldest version that can serve."""

    def unfit(self, db: sa.Connection) -> str | None:
        """Return why this server can't keep the store's guarantees, or can't be written to."""
        return None

    def lock_tables(self, db: sa.Connection) -> bool:
        """Let no other process make or upgrade the tables until this connection is closed.

        :returns: whether it was possible; if not, another process does.
        """
        return True

    def missing(self, url: sa.URL) -> str | None:
        """Return what is missing before a connection can be opened, without opening one."""
        return None

    def table_faults(self, found: sa.Inspector, table: sa.Table) -> list[str]:
        """Return why a table that is there would not keep the store's guarantees."""
        return []


def load(name: str) -> type[Database]:
    """Return a database by SQLAlchemy's name of it.

    :raises ImportError: if its driver is not installed, or does not load.
    """
    module = import_module(f"flask_otp_mpp.stores.sql.{DRIVERS[name].module}")
    database: type[Database] = module.DATABASE
    return database


def server_options(arguments: Mapping[str, Any], options: StoreOptions) -> dict[str, Any]:
    """Return the arguments of ``create_engine`` for a server.

    :param arguments: those of its driver.
    """
    return {
        "connect_args": arguments,
        "paramstyle": "format",  # by position, as on SQLite
        "pool_timeout": POOL_SECONDS,
        "pool_recycle": RECYCLE_SECONDS,
        "pool_size": options.pool_size,
        "max_overflow": 0,  # one that is opened and closed for each method costs more than it
        "pool_pre_ping": options.pre_ping,
        "pool_use_lifo": True,  # so that idle connections can be closed
    }


def execute_text(
    driver: Any, before: Sequence[str], texts: Sequence[str], batch: Batch, *, commit: bool
) -> list[list[Row]]:
    """Execute a batch as one text, after other statements; return the rows of each of the batch.

    A server begins when it has the whole text, and does nothing that follows an error.
    """
    found: list[list[Row]] = []
    with driver.cursor() as cursor:
        cursor.execute(";".join([*before, *texts, *(["COMMIT"] if commit else ())]))
        for _ in before:
            cursor.nextset()
        for statement, _ in batch:
            found.append(statement.rows(cursor.fetchall()) if statement.reads else [])
            cursor.nextset()  # which is when PyMySQL raises an error of a later statement
    return found


def number_literal(value: object) -> str:
    """Write what is neither a text nor bytes, by digits alone."""
    if value is None:
        return "NULL"
    if type(value) is int:
        return str(value)
    raise TypeError(f"no literal is known for {type(value).__name__}")


def first_line(error: BaseException) -> str:
    """Return the first line of a driver's message."""
    lines = str(getattr(error, "orig", None) or error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
