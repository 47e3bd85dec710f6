"""Transactions of the SQL store: each is done, or nothing is; it may be run again if nothing was.

A transaction runs on a connection of the engine's pool, by the driver itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from functools import partial
from typing import Any, Final, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from flask_otp_mpp.core.ports import StoreError
from flask_otp_mpp.stores.options import StoreOptions
from flask_otp_mpp.stores.sql.dialect import BatchExecutor, Database, Failure, Row
from flask_otp_mpp.stores.sql.statements import BoundStatement

T = TypeVar("T")
MAX_RUNS: Final = 5
RETRY_SECONDS: Final = 2
"""A verb that took longer before it was rolled back is not run again: somebody waits for it."""


class Transaction:
    """One transaction. Reads share one round trip; writes and COMMIT share another."""

    def __init__(self, execute: BatchExecutor, driver: Any, *, durable: bool) -> None:
        self._execute = partial(execute, driver, durable=durable)
        self._writes: list[BoundStatement] = []
        self._begun = False
        self.committing = False

    def read(self, *batch: BoundStatement) -> list[list[Row]]:
        """Return the rows of each statement; begin the transaction if it has not begun yet."""
        begin, self._begun = not self._begun, True
        return self._execute(batch, begin=begin, commit=False)

    def read_only(self, statement: BoundStatement) -> list[Row]:
        """Return the rows of a statement without a transaction, where nothing else is done."""
        [rows] = self._execute([statement], begin=False, commit=False)
        return rows

    def write(self, batch: Iterable[BoundStatement]) -> None:
        """Write this at the end, with all else that is to be written."""
        self._writes.extend(batch)

    def commit(self) -> None:
        """Write and commit; if one of it fails, nothing was done."""
        if self._begun or self._writes:
            self.committing = True
            self._execute(self._writes, begin=not self._begun, commit=True)


class Transactions:
    """Run transactions on the connections of an engine."""

    def __init__(self, engine: sa.Engine, database: Database, options: StoreOptions) -> None:
        self._engine = engine
        self._database = database
        self._execute = database.executor()
        self._queue = database.queue(options)
        self._errors = engine.dialect.loaded_dbapi.Error
        self._lost_at = 0.0
        sa.event.listen(engine, "connect", _note_age)

    def run(self, work: Callable[[Transaction], T], *, durable: bool = True) -> T:
        """Do work in a transaction, and commit it.

        :param durable: whether it must survive a crash; without that, SQLite and PostgreSQL do not
            wait for the disk.
        :raises StoreError: if the database fails.
        """
        return self.retry(partial(self._run_in_turn, work, durable=durable))

    def read(self, statement: BoundStatement) -> list[Row]:
        """Return the rows of a statement, without a transaction.

        :raises StoreError: if the database fails.
        """
        work = partial(Transaction.read_only, statement=statement)
        return self.retry(partial(self._run_once, work, durable=True))

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
            try:
                return attempt()
            except SQLAlchemyError as error:
                failure = error
            late = time.monotonic() - began > RETRY_SECONDS
            if left == 0 or late or not self._did_nothing(failure):
                # Outside of the handler, so that nothing is chained but what is meant to be.
                raise store_error(failure) from cause(failure)
            if getattr(failure, "connection_invalidated", False):
                left = 1

    def yield_to_others(self) -> None:
        """Pause between two transactions of many, where others can't write beside them."""
        if self._queue is not None:
            self._queue.yield_to_others()

    def _run_in_turn(self, work: Callable[[Transaction], T], *, durable: bool) -> T:
        with self._queue.acquire() if self._queue is not None else nullcontext():
            return self._run_once(work, durable=durable)

    def _run_once(self, work: Callable[[Transaction], T], *, durable: bool) -> T:
        connection = self._connection()
        transaction = Transaction(self._execute, connection.dbapi_connection, durable=durable)
        try:
            result = work(transaction)
            transaction.commit()
        except self._errors as error:
            raise self._broken_off(error, connection, transaction) from error
        except BaseException:
            connection.invalidate()  # an answer may still be on its way
            raise
        finally:
            connection.close()
        return result

    def _connection(self) -> PoolProxiedConnection:
        """Take a connection that was opened after one was lost: a restart has ended all others."""
        try:
            while True:
                connection = self._engine.raw_connection()
                if connection.info["since"] >= self._lost_at:
                    return connection
                connection.invalidate()
                connection.close()
        except self._errors as error:
            gone = self._engine.dialect.is_disconnect(error, None, None)
            raise self._wrapped(error, gone=gone) from error

    def _broken_off(
        self, error: Exception, connection: PoolProxiedConnection, transaction: Transaction
    ) -> Exception:
        """Leave no transaction open; return what is to be raised."""
        driver: Any = connection.dbapi_connection
        gone = self._engine.dialect.is_disconnect(error, driver, None)  # type: ignore[arg-type]
        wrapped = self._wrapped(error, gone=gone)
        if gone or self._database.failure(wrapped) is Failure.READ_ONLY:
            wrapped.connection_invalidated = True
            self._lost_at = time.monotonic()
            connection.invalidate(error)
        else:
            try:
                driver.rollback()
            except self._errors:
                connection.invalidate()
        if gone and transaction.committing:  # it may have been done
            return StoreError(f"the OTP database failed at COMMIT: {type(wrapped).__name__}")
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

    def _did_nothing(self, error: SQLAlchemyError) -> bool:
        """Tell whether a transaction that failed before COMMIT may succeed if it is run again."""
        if isinstance(error, IntegrityError):  # another node inserted the same row: it is there now
            return True
        return isinstance(error, DBAPIError) and (
            error.connection_invalidated or self._database.failure(error) is Failure.ROLLED_BACK
        )


def store_error(failure: SQLAlchemyError) -> StoreError:
    """Return what a store raises for an error of the database."""
    return StoreError(f"the OTP database failed: {type(failure).__name__}")


def cause(failure: SQLAlchemyError) -> SQLAlchemyError | None:
    """Return the error to chain; a driver's message about a value repeats the value."""
    return None if isinstance(failure, DataError | IntegrityError) else failure


def _note_age(_driver: object, record: ConnectionPoolEntry) -> None:
    record.info["since"] = time.monotonic()
