"""SQLite for the SQL store: a file with one writer at a time, and fair, fast waiting for it.

SQLite itself sleeps longer and longer between two looks at a file that another one writes to, up to
a tenth of a second, while others come and go. Here the threads of a process wait in one queue, and
the first of it looks often.
"""

from __future__ import annotations

import os
import random
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import parse_qs, unquote

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from flask_otp_mpp.core.ports import StoreError
from flask_otp_mpp.stores.options import StoreOptions
from flask_otp_mpp.stores.sql.dialect import Batch, Database, Row

POLL_SECONDS: Final = (0.0002, 0.001)
"""Between two looks, at least and at most: about as long as a transaction takes."""
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
    """

    wait_seconds: float = 0
    _durable = True

    def prepare(self) -> None:
        """Take over the waiting from SQLite, for as long as it was told; wait for the disk."""
        [milliseconds] = self.execute("PRAGMA busy_timeout").fetchone()
        self.wait_seconds = milliseconds / 1000
        self.execute("PRAGMA busy_timeout = 0")
        self.execute("PRAGMA synchronous = FULL")

    def begin(self, *, durable: bool = True) -> None:
        """Begin to write."""
        self.set_durable(durable)
        self.execute(_BEGIN)

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
                end = now + self.connection.wait_seconds if end is None else end
                if not _is_busy(error) or now >= end:
                    raise
            time.sleep(random.uniform(*POLL_SECONDS))  # noqa: S311 - so that two don't look in step


class WriteQueue:
    """The threads of a process that want to write, one after the other.

    :param wait_seconds: for which a thread waits for its turn.
    """

    def __init__(self, wait_seconds: float) -> None:
        self._wait_seconds = wait_seconds
        self._lock = threading.Lock()
        reset = weakref.WeakMethod(self._reset)
        os.register_at_fork(after_in_child=lambda: (usable := reset()) and usable())

    @contextmanager
    def acquire(self) -> Iterator[None]:
        """Wait for the turn; it ends with the block.

        :raises StoreError: if it does not come in time.
        """
        lock = self._lock
        if not lock.acquire(timeout=self._wait_seconds):
            raise StoreError(f"the OTP database was not free for {self._wait_seconds:g} s")
        try:
            yield
        finally:
            lock.release()

    @staticmethod
    def yield_to_others() -> None:
        """Leave the file free until everybody who waits for it has looked."""
        time.sleep(max(POLL_SECONDS))

    def _reset(self) -> None:
        """Forget whose turn it is in the parent: that thread is not in the child."""
        self._lock = threading.Lock()


class SQLite(Database):
    """SQLite files."""

    remedies = _REMEDIES
    purge_limit = 200  # all that write to a file wait for one another: this takes milliseconds

    def __init__(self, options: StoreOptions) -> None:
        super().__init__(options)
        # And then for the file: together no longer than a caller waits.
        self._queue = WriteQueue(options.statement_timeout)

    def engine_options(self, url: sa.URL) -> dict[str, Any]:
        if _in_memory(url):
            raise ValueError(_IN_MEMORY)
        options = self.options
        wait = {} if "timeout" in url.query else {"timeout": options.silence_timeout}
        # Another writer is waited for, and while it works connections are scarce.
        return {
            "connect_args": {"factory": PollingConnection, **wait},
            "pool_timeout": options.silence_timeout,
            "pool_size": options.pool_size,
            "max_overflow": options.pool_overflow,
        }

    def prepare(self, engine: sa.Engine) -> None:
        sa.event.listen(engine, "do_connect", _create)
        sa.event.listen(engine, "connect", _prepare)

    def begin(self, db: sa.Connection) -> None:
        driver: Any = db.connection.dbapi_connection
        driver.set_durable(db.get_execution_options().get("durable", True))
        db.exec_driver_sql(_BEGIN)  # which names an error as the engine's others

    def execute(
        self, driver: Any, batch: Batch, *, begin: bool, commit: bool, durable: bool
    ) -> list[list[Row]]:
        """Execute one statement after the other; there is no server, so no round trip."""
        if begin:
            driver.begin(durable=durable)
        found = [said.rows(driver.execute(said.text, parameters)) for said, parameters in batch]
        if commit:
            driver.execute("COMMIT")
        return found

    def writing(self) -> AbstractContextManager[None]:
        return self._queue.acquire()

    def yield_to_others(self) -> None:
        self._queue.yield_to_others()

    def insert_if_missing(self, table: sa.Table, values: Mapping[str, Any]) -> sa.Insert:
        return insert(table).values(**values).on_conflict_do_nothing()

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
        name = url.database or ""
        if name.startswith("file:") or Path(name).exists():
            return None
        if not Path(name).parent.is_dir():
            return "lies in a folder that does not exist; make it, then"
        return "does not exist;"


def _in_memory(url: sa.URL) -> bool:
    """Tell whether a URL names no file, in any of the spellings that SQLite knows."""
    name, options = url.database or "", set(url.query)
    if name.startswith("file:"):  # SQLite reads it as a URI of its own
        name, _, query = name.removeprefix("file:").partition("#")[0].partition("?")
        name, options = unquote(name), options | parse_qs(query).keys()
    return name in ("", ":memory:") or not options.isdisjoint({"mode", "vfs"})


def _create(_dialect: object, _record: object, arguments: Sequence[Any], _more: object) -> None:
    """Create a missing file, which nobody but its owner may read.

    SQLite itself would make one with the usual permissions. It gives to the files beside it, -wal
    and -shm, those of the database.
    """
    name: str = arguments[0]
    if name.startswith("file:"):
        name = unquote(name.removeprefix("file:").partition("#")[0].partition("?")[0])
    with suppress(OSError):  # it is there; or SQLite tells why it can't be made
        os.close(os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _prepare(connection: PollingConnection, _record: object) -> None:
    connection.isolation_level = None  # the driver must not begin transactions of its own
    connection.execute("PRAGMA journal_mode=WAL")
    connection.prepare()


def _is_busy(error: BaseException | None) -> bool:
    """Tell whether SQLite has failed because another one works on the file."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _BUSY


DATABASE: Final = SQLite
