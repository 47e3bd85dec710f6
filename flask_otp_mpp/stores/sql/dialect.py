"""What the SQL store needs of a database: one protocol, which one module for each database meets.

The other modules know no database by name. A module is imported when its database is used, and with
it the driver.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from enum import Enum, auto
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TypeAlias

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from flask_otp_mpp.stores.options import POOL_SECONDS, StoreOptions

if TYPE_CHECKING:
    from flask_otp_mpp.stores.sql.statements import BoundStatement

Row: TypeAlias = tuple[Any, ...]


class Driver(NamedTuple):
    """The one driver of a database with which the suite is run.

    :param module: the module of this package that knows the database.
    :param extra: the extra of this package that installs the driver.
    :param library: what mends a driver that does not load.
    """

    name: str
    module: str
    extra: str = ""
    library: str = ""


_PYMYSQL: Final = Driver("pymysql", "mysql", "mysql")
DRIVERS: Final = {
    "sqlite": Driver("pysqlite", "sqlite"),
    "postgresql": Driver(
        "psycopg", "postgresql", "postgresql", "libpq, or pip install 'psycopg[binary]'"
    ),
    "mysql": _PYMYSQL,
    "mariadb": _PYMYSQL,
}
"""By SQLAlchemy's name of the database."""
IDLE_SECONDS: Final = 5
"""After which a server ends the transaction of a process that has vanished."""
RECYCLE_SECONDS: Final = 200
"""Age at which a connection to a server is replaced; balancers forget idle ones after 4 minutes."""


class Failure(Enum):
    """What an error says about the transaction that it ended."""

    ROLLED_BACK = auto()
    """The server has undone all of it, and may succeed if it is run again: such as a deadlock."""
    READ_ONLY = auto()
    """The server is a replica by now; a new connection may find the primary."""
    OTHER = auto()


class BatchExecutor(Protocol):
    """Execute statements on a driver's connection that commits by itself, in one round trip."""

    def __call__(
        self,
        driver: Any,
        batch: Sequence[BoundStatement],
        *,
        begin: bool,
        commit: bool,
        durable: bool,
    ) -> list[list[Row]]:
        """Return the rows of each statement.

        :param begin: whether to begin a transaction before.
        :param commit: whether to commit it after.
        :param durable: whether the transaction that begins here must survive a crash; if not, its
            commit need not wait for the disk.
        """


class Queue(Protocol):
    """Lets the writers of a process in one after the other, where a database has one writer."""

    def acquire(self) -> AbstractContextManager[None]:
        """Wait for the turn; it ends with the block.

        :raises StoreError: if it does not come in time.
        """

    def yield_to_others(self) -> None:
        """Leave the database free between two transactions of many."""


class Database(Protocol):
    """One kind of database, without state; where most are alike, what they do is written here.

    :ivar time: SQL for the server's time in microseconds since the epoch; None if there is no
        server, and the machine's clock decides.
    :ivar purge_limit: rows that one transaction of a purge may delete.
    :ivar table_options: what SQLAlchemy's tables are told for it.
    """

    time: str | None = None
    purge_limit: int = sys.maxsize
    table_options: Mapping[str, str] = MappingProxyType({})

    def engine_options(self, url: sa.URL, options: StoreOptions) -> dict[str, Any]:
        """Return the arguments of ``create_engine``; what the URL's query says is left to it.

        :raises ValueError: if the URL can't be that of a store.
        """

    def prepare(self, engine: sa.Engine, options: StoreOptions) -> None:
        """Attach to an engine what its connections need."""

    def begin(self, db: sa.Connection) -> None:
        """Begin a transaction that SQLAlchemy takes for begun; no driver begins one by itself."""

    def executor(self) -> BatchExecutor:
        """Return the executor of one store."""

    def queue(self, options: StoreOptions) -> Queue | None:
        """Return the queue of one store's writers; None if they may write at once."""
        return None

    def exact_text(self, length: int) -> sa.types.TypeEngine[str]:
        """Return the type of a text that nothing but the very same text equals."""
        return sa.String(length)

    def exact_bytes(self, length: int) -> sa.types.TypeEngine[bytes]:
        """Return the type of a few bytes."""
        return sa.LargeBinary(length)

    def insert_if_missing(self, table: sa.Table, values: Mapping[str, Any]) -> sa.Insert:
        """Insert a row unless its primary key is there; wait for whoever is inserting it."""

    def delete_some(
        self, db: sa.Connection, key: sa.Column[str], over: sa.ColumnElement[bool], limit: int
    ) -> int:
        """Delete rows that are over, and return how many.

        The condition is checked again on deleting: a row may have been renewed since it was found.
        """

    def failure(self, error: DBAPIError) -> Failure:
        """Return what an error means for the transaction."""
        return Failure.OTHER

    def access_fault(self, error: DBAPIError) -> str | None:
        """Name a fault that stays until somebody corrects it, such as an unknown user, with how.

        :returns: None if the database may answer later.
        """

    def product(self, dialect: sa.Dialect) -> tuple[str, tuple[int, ...]]:
        """Return the name of the product, and its oldest version that can serve."""

    def missing(self, url: sa.URL) -> str | None:
        """Return what is missing before a connection can be opened, without opening one."""
        return None

    def table_faults(self, found: sa.Inspector, table: sa.Table) -> list[str]:
        """Return why a table that is there would not keep the store's guarantees."""
        return []


def load(name: str) -> Database:
    """Return a database by SQLAlchemy's name of it.

    :raises ImportError: if its driver is not installed, or does not load.
    """
    module = import_module(f"flask_otp_mpp.stores.sql.{DRIVERS[name].module}")
    database: Database = module.DATABASE
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
        "max_overflow": options.pool_overflow,
        "pool_pre_ping": options.pre_ping,
        "pool_use_lifo": True,  # so that idle connections can be closed
    }


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
