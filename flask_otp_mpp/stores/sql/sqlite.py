"""SQLite for the SQL store: a file with one writer at a time, and fair, fast waiting for it.

SQLite itself sleeps longer and longer between two looks at a file that another one writes to, up to
a tenth of a second, while others come and go. Here the threads of a process wait in one queue, and
the first of it looks often.
"""

from __future__ import annotations

import math
import os
import random
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Self

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, OperationalError

from flask_otp_mpp.core.deadline import seconds_left
from flask_otp_mpp.stores.options import StoreOptions
from flask_otp_mpp.stores.sql.dialect import Batch, Database, Failure, Row
from flask_otp_mpp.stores.sql.sqlite_file import (
    File,
    FileReplaced,
    create,
    file_at,
    in_memory,
    path_of,
    uri_of,
)
from flask_otp_mpp.stores.sql.write_queue import POLL_SECONDS, WriteQueue

_BEGIN: Final = "BEGIN IMMEDIATE"  # a deferred one that reads first may fail when it has to write
_BUSY: Final = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_REMEDIES: Final = {
    "(attempt to write a readonly database|readonly database)": (
        "let the app's user write to the file and to its folder"
    ),
    "^(?!database (?:table )?is locked)(.*)": "check the file and its permissions",
}
_IN_MEMORY: Final = (
    "names a SQLite database in memory, which is another one for each connection, and one that is "
    "shared is the host's; use a file (sqlite:////path/otp.db), or memory:// for trials"
)


class PollingConnection(sqlite3.Connection):
    """A connection that looks often whether the file is free.

    :ivar wait_seconds: after which it gives up.
    :ivar path: of the file.
    :ivar file: which file it has opened.
    """

    wait_seconds: float = 0
    path: str = ""
    file: File | None = None
    _durable = True

    def check_file(self) -> None:
        """See that others who open the file by its name get the one that is open here.

        :raises FileReplaced: if it was deleted or replaced; what is decided here then, nobody sees.
        """
        if file_at(self.path) != self.file:
            raise FileReplaced("the file was deleted or replaced")

    def prepare(self) -> None:
        """Take over the waiting from SQLite, for as long as it was told; wait for the disk."""
        [milliseconds] = self.execute("PRAGMA busy_timeout").fetchone()
        self.wait_seconds = milliseconds / 1000
        self.execute("PRAGMA busy_timeout = 0")
        self.execute("PRAGMA synchronous = FULL")

    def set_durable(self, durable: bool) -> None:  # noqa: FBT001 - its name says it
        """Set whether the commits that follow wait for the disk."""
        if durable is not self._durable:
            self.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._durable = durable

    def cursor(self, factory: Any = None) -> Any:
        return super().cursor(factory or _PollingCursor)

    def execute(self, *statement: Any) -> sqlite3.Cursor:
        """Execute a statement as soon as the file is free.

        :raises sqlite3.OperationalError: if it does not become free in time.
        """
        cursor: sqlite3.Cursor = self.cursor().execute(*statement)
        return cursor


class _PollingCursor(sqlite3.Cursor):
    connection: PollingConnection

    def execute(self, *statement: Any) -> Self:
        end = None
        while True:
            try:
                return super().execute(*statement)
            except sqlite3.OperationalError as error:
                now = time.monotonic()
                end = now + seconds_left(self.connection.wait_seconds) if end is None else end
                if not _is_busy(error) or now >= end:
                    raise
            time.sleep(random.uniform(*POLL_SECONDS))  # noqa: S311 - so that two don't look in step


class SQLite(Database):
    """SQLite files."""

    remedies = _REMEDIES
    max_age = math.inf
    purge_limit = 200  # all that write to a file wait for one another: this takes milliseconds

    def __init__(self, options: StoreOptions) -> None:
        super().__init__(options)
        # And then for the file: together no longer than a caller waits.
        self.write_queue = WriteQueue(options.statement_timeout)

    def engine_options(self, url: sa.URL) -> dict[str, Any]:
        if in_memory(url.database or "", set(url.query)):
            raise ValueError(_IN_MEMORY)
        options = self.options
        wait = {} if "timeout" in url.query else {"timeout": options.silence_timeout}
        # Another writer is waited for, and while it works connections are scarce.
        return {
            "connect_args": {"factory": PollingConnection, **wait},
            "pool_timeout": options.silence_timeout,
            "pool_size": options.pool_size,
            "max_overflow": 0,
        }

    def prepare(self, engine: sa.Engine) -> None:
        sa.event.listen(engine, "do_connect", _open)
        sa.event.listen(engine, "connect", _prepare)

    def create(self, url: sa.URL) -> None:
        try:
            create(path_of(url.database or ""))
        except sqlite3.OperationalError as error:
            raise OperationalError("", None, error) from None

    def failure(self, error: DBAPIError) -> Failure:
        if isinstance(error.orig, FileReplaced):
            return Failure.REPLACED
        return Failure.TOO_SLOW if _is_busy(error.orig) else Failure.OTHER

    def begin(self, db: sa.Connection) -> None:
        driver: Any = db.connection.dbapi_connection
        driver.set_durable(db.get_execution_options().get("durable", True))
        db.exec_driver_sql(_BEGIN)  # which names an error as the engine's others

    def execute(
        self, driver: Any, batch: Batch, *, begin: bool, commit: bool, durable: bool
    ) -> list[list[Row]]:
        """Execute one statement after the other; there is no server, so no round trip."""
        alone = not driver.in_transaction
        cursor = driver.cursor()
        if begin:
            driver.set_durable(durable)
            cursor.execute(_BEGIN)
        if alone:
            driver.check_file()
        found = [said.rows(cursor.execute(said.text, parameters)) for said, parameters in batch]
        if commit:
            driver.execute("COMMIT")
        return found

    def yield_to_others(self) -> None:
        WriteQueue.yield_to_others()

    def delete_some(
        self, db: sa.Connection, key: sa.Column[str], over: sa.ColumnElement[bool], limit: int
    ) -> int:
        row_id: sa.ColumnElement[int] = sa.literal_column("rowid")
        found = sa.select(row_id).select_from(key.table).where(over).limit(limit)
        return db.execute(sa.delete(key.table).where(row_id.in_(found), over)).rowcount

    def product(self, _dialect: sa.Dialect) -> tuple[str, tuple[int, ...]]:
        return "SQLite", (3, 35)

    def missing(self, url: sa.URL) -> str | None:
        """Find a file that is not there before SQLite makes an empty one of its name."""
        path = Path(path_of(url.database or ""))
        if path.exists():
            return None
        if not path.parent.is_dir():
            return "is in a folder that does not exist; make it, then"
        return "does not exist;"


def _open(
    _dialect: object, _record: object, arguments: Sequence[Any], more: dict[str, Any]
) -> PollingConnection:
    """Open the file of a URL, and note which one it is.

    :raises OperationalError: of the driver, if it is missing: it is not made again.
    """
    name: str = arguments[0]
    path = os.path.abspath(path_of(name))
    before = file_at(path)
    connection: PollingConnection = sqlite3.connect(uri_of(name), **{**more, "uri": True})
    connection.path, connection.file = path, file_at(path)
    if connection.file is None or connection.file != before:
        connection.close()
        raise FileReplaced("the file was replaced while it was opened")
    return connection


def _prepare(connection: PollingConnection, _record: object) -> None:
    connection.isolation_level = None  # the driver must not begin transactions of its own
    connection.execute("PRAGMA journal_mode=WAL")
    connection.prepare()


def _is_busy(error: BaseException | None) -> bool:
    """Tell whether SQLite has failed because another one works on the file."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _BUSY


DATABASE: Final = SQLite
