"""Transactions of the SQL store: each is done, or nothing is; it may be run again if nothing was.

A transaction runs on a connection of the engine's pool, by the driver itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial
from typing import Any, Final, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    SQLAlchemyError,
)
from sqlalchemy.exc import (
    TimeoutError as PoolTimeout,
)
from sqlalchemy.pool import PoolProxiedConnection

from flask_otp_mpp.core.clock import Clock
from flask_otp_mpp.core.deadline import seconds_left
from flask_otp_mpp.core.ports import StoreError, StoreUnavailable
from flask_otp_mpp.core.secret import clear_frames
from flask_otp_mpp.core.trace import count_attempt, count_retry, journal_at_work
from flask_otp_mpp.stores.sql.connections import Connections
from flask_otp_mpp.stores.sql.dialect import Database, Failure, Row
from flask_otp_mpp.stores.sql.shared_commit import SharedCommit
from flask_otp_mpp.stores.sql.statements import BoundStatement, CompiledStatement, Values

T = TypeVar("T")
_OTHER_PLACE: Final = (Failure.READ_ONLY, Failure.REPLACED)
"""Failures after which another connection may lead to the right place."""
MAX_RUNS: Final = 5
RETRY_SECONDS: Final = 2
"""A verb that took longer before it was rolled back is not run again: its caller is waiting."""


class Transaction:
    """One transaction. Reads share one round trip; writes and COMMIT share another.

    With a clock of the store's own, the time is read once, and statements get it as ``now``.
    """

    def __init__(self, execute: Callable[..., list[list[Row]]], clock: Clock | None) -> None:
        self._execute = execute
        self._clock = clock
        self._now: datetime | None = None
        self._writes: list[BoundStatement] = []
        self._begun = False
        self.committing = False

    def read(self, values: Values, *statements: CompiledStatement) -> list[list[Row]]:
        """Return the rows of each statement; begin the transaction if it has not begun yet.

        With a clock the last one is a round trip of its own: it gets the time after the others.
        """
        if self._clock is None:
            return self._read(self._bound(values, statements))
        first = [statement.bind(values) for statement in statements[:-1]]
        return self._read(first) + self._read(self._bound(values, statements[-1:]))

    def read_only(self, values: Values, statement: CompiledStatement) -> list[Row]:
        """Return the rows of a statement without a transaction, where nothing else is done."""
        return self._execute(self._bound(values, [statement]), begin=False, commit=False)[0]

    def write(self, values: Values, *statements: CompiledStatement) -> None:
        """Write this at the end, with all else that is to be written."""
        self._writes.extend(self._bound(values, statements))

    def commit(self) -> None:
        """Write and commit, unless it was done; if one of it fails, nothing was done."""
        if self._begun or self._writes:
            self.committing = True
            self._execute(self._writes, begin=not self._begun, commit=True)
            self._begun, self._writes = False, []

    def part(self) -> Transaction:
        """Return a transaction within this one, whose begin and commit are left to this one."""

        def execute(batch: list[BoundStatement], **_: bool) -> list[list[Row]]:
            return self._execute(batch, begin=False, commit=False)

        return Transaction(execute, self._clock)

    def _read(self, batch: list[BoundStatement]) -> list[list[Row]]:
        begin, self._begun = not self._begun, True
        return self._execute(batch, begin=begin, commit=False)

    def _bound(
        self, values: Values, statements: Iterable[CompiledStatement]
    ) -> list[BoundStatement]:
        if self._clock is not None:
            self._now = self._now or self._clock()
            values = {**values, "now": self._now}
        return [statement.bind(values) for statement in statements]


class Transactions:
    """Run transactions on the connections of an engine."""

    def __init__(self, engine: sa.Engine, database: Database, clock: Clock | None) -> None:
        self._connections = Connections(engine, database)
        self._engine = engine
        self._database = database
        self._clock = clock
        self._errors = engine.dialect.loaded_dbapi.Error
        queue = database.write_queue
        self._shared = SharedCommit(queue, engine.dialect) if queue else None

    def run(self, work: Callable[[Transaction], T], *, durable: bool = True) -> T:
        """Do work in a transaction, and commit it.

        :param durable: whether it must survive a crash; without that, SQLite and PostgreSQL do not
            wait for the disk.
        :raises StoreError: if the database fails.
        """
        if self._shared is None:
            return self.retry(partial(self.run_once, work, durable=durable))
        # A journal has to know when its transaction is committed.
        run = self._shared.run if journal_at_work() is None else self._shared.run_alone
        return self.retry(partial(run, self, work, durable=durable))

    def read(self, values: Values, statement: CompiledStatement) -> list[Row]:
        """Return the rows of a statement, without a transaction.

        :raises StoreError: if the database fails.
        """
        work = partial(Transaction.read_only, values=values, statement=statement)
        return self.retry(partial(self.run_once, work, durable=True))

    def retry(self, attempt: Callable[[], T]) -> T:
        """Run a transaction; run it again if it is known to have done nothing, and may succeed.

        After a lost connection it is run once more. After it was rolled back because of others it
        is run a few times: each time at least one of the others has come through.

        :raises StoreError: if the database fails.
        """
        began = time.monotonic()
        left = MAX_RUNS
        while True:
            left -= 1
            count_attempt()
            try:
                return attempt()
            except SQLAlchemyError as error:
                failure = error
            late = time.monotonic() - began > RETRY_SECONDS or not seconds_left(1)
            if left == 0 or late or not self._did_nothing(failure):
                raise store_error(failure)  # outside of the handler, which would chain the failure
            if getattr(failure, "connection_invalidated", False):
                left = 1
            count_retry()

    def run_once(self, work: Callable[[Transaction], T], *, durable: bool) -> T:
        """Do work in a transaction, and commit it; what fails is not tried again."""
        with self._connections.free:
            return self._run_on(self._connection(), work, durable=durable)

    def _run_on(
        self, connection: PoolProxiedConnection, work: Callable[[Transaction], T], *, durable: bool
    ) -> T:
        driver = connection.dbapi_connection
        execute = partial(self._database.execute, driver, durable=durable)
        transaction = Transaction(execute, self._clock)
        try:
            result = work(transaction)
            transaction.commit()
        except self._errors as error:
            raise self._broken_off(error, connection, transaction) from error
        except BaseException:
            connection.invalidate()  # an answer may still be on its way
            raise
        finally:
            self._connections.give_back(connection)
        return result

    def _connection(self) -> PoolProxiedConnection:
        """Take a connection.

        :raises StoreUnavailable: if none can be opened.
        """
        try:
            return self._connections.take()
        except self._errors as error:
            gone = self._engine.dialect.is_disconnect(error, None, None)
            failure = self._wrapped(error, gone=gone)
            failure.__cause__ = error
            if gone:
                raise failure from error
        raise store_error(failure, StoreUnavailable)

    def _broken_off(
        self, error: Exception, connection: PoolProxiedConnection, transaction: Transaction
    ) -> Exception:
        """Leave no transaction open; return what is to be raised."""
        driver: Any = connection.dbapi_connection
        gone = self._engine.dialect.is_disconnect(error, driver, None)  # type: ignore[arg-type]
        wrapped = self._wrapped(error, gone=gone)
        if gone or self._database.failure(wrapped) in _OTHER_PLACE:
            wrapped.connection_invalidated = True
            self._connections.distrust()
            connection.invalidate(error)
        else:
            try:
                driver.rollback()
            except self._errors:
                connection.invalidate()
        if gone and transaction.committing:  # it may have been done
            return StoreUnavailable(f"the OTP database failed at COMMIT: {type(wrapped).__name__}")
        return wrapped

    def _wrapped(self, error: Exception, *, gone: bool) -> DBAPIError:
        """Return a driver's error as SQLAlchemy's, without what was to be stored."""
        return DBAPIError.instance(  # type: ignore[return-value]
            "",
            None,
            error,
            self._errors,
            hide_parameters=True,
            connection_invalidated=gone,
            dialect=self._engine.dialect,
        )

    def told(self, error: Exception) -> Exception:
        """Return an error of a part of a transaction as that of a whole one would be."""
        return self._wrapped(error, gone=False) if isinstance(error, self._errors) else error

    def _did_nothing(self, error: SQLAlchemyError) -> bool:
        """Tell whether a transaction that failed before COMMIT may succeed if it is run again."""
        if isinstance(error, IntegrityError):  # another node inserted the same row: it is there now
            return True
        return isinstance(error, DBAPIError) and (
            error.connection_invalidated or self._database.failure(error) is Failure.ROLLED_BACK
        )


def store_error(failure: SQLAlchemyError, kind: type[StoreError] = StoreError) -> StoreError:
    """Return what a store raises for an error of the database, outside of its handler.

    :param kind: unless the failure itself says that the database does not answer.
    """
    clear_frames(failure)  # a driver's hold the password of the connection
    if isinstance(failure, PoolTimeout) or getattr(failure, "connection_invalidated", False):
        kind = StoreUnavailable
    error = kind(f"the OTP database failed: {type(failure).__name__}")
    # A driver's message about a value repeats the value.
    error.__cause__ = None if isinstance(failure, DataError | IntegrityError) else failure
    return error
