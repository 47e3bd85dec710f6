"""A transaction is done, or nothing is; one that is known to have done nothing is run again.

It runs on a connection of the engine's pool, by the driver itself.
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
from flask_otp_mpp.stores.sql.dialect import MISPLACED, Said, Speak, speaker
from flask_otp_mpp.stores.sql.engine import READ_ONLY, error_code
from flask_otp_mpp.stores.sql.sentences import Row, Sentence, Values
from flask_otp_mpp.stores.sql.sqlite import Line

T = TypeVar("T")
AGAIN_SECONDS: Final = 2
"""A verb that took longer before it was rolled back is not run again: somebody waits for it."""
AGAIN_TIMES: Final = 4
# A deadlock or a serialization failure, of which the server has rolled back all.
_ROLLED_BACK: Final = {"40001", "40P01", 1213} | MISPLACED


class Step:
    """Be one transaction: what is asked at once takes one journey, and so do writes and COMMIT."""

    def __init__(self, speak: Speak, driver: Any, *, lightly: bool = False) -> None:
        self._say = partial(speak, driver)
        self._lightly = lightly
        self._writes: list[Said] = []
        self._begun = False
        self.ending = False

    def ask(self, *said: Said) -> list[list[Row]]:
        """Return the rows of each; begin the transaction if this has not happened yet."""
        begin, self._begun = not self._begun, True
        return self._say(said, begin=begin, commit=False, lightly=self._lightly)

    def glance(self, sentence: Sentence, values: Values) -> list[Row]:
        """Ask without a transaction, where nothing else is asked or written."""
        [rows] = self._say([(sentence, values)], begin=False, commit=False, lightly=False)
        return rows

    def write(self, sentences: Iterable[Sentence], values: Values) -> None:
        """Write this in the end, with all else that is to be written."""
        self._writes.extend((sentence, values) for sentence in sentences)

    def end(self) -> None:
        """Write and commit; if one of it fails, nothing was done."""
        if self._begun or self._writes:
            self.ending = True
            begin = not self._begun
            self._say(self._writes, begin=begin, commit=True, lightly=self._lightly)


class Transactions:
    """Run transactions on the connections of an engine."""

    def __init__(self, engine: sa.Engine, options: StoreOptions) -> None:
        self._engine = engine
        self._dialect = engine.dialect
        self._speak = speaker(engine.dialect.name)
        # And then for the file: together no longer than a caller waits.
        self._line = Line(options.statement_timeout) if engine.dialect.name == "sqlite" else None
        self._lost_at = 0.0
        sa.event.listen(engine, "connect", _note_age)

    def run(self, work: Callable[[Step], T], *, lightly: bool = False) -> T:
        """Do work in a transaction, and see to its end.

        :param lightly: whether a power cut may take it back, as nothing is decided in it; SQLite
            and PostgreSQL then do not wait for the disk.
        :raises StoreError: if the database fails.
        """

        def once() -> T:
            with self._line.turn() if self._line is not None else nullcontext():
                return self._once(work, lightly=lightly)

        return self.again(once)

    def look(self, sentence: Sentence, values: Values) -> list[Row]:
        """Ask without a transaction, where nothing else is asked or written.

        :raises StoreError: if the database fails.
        """
        return self.again(partial(self._once, lambda step: step.glance(sentence, values)))

    def again(self, once: Callable[[], T]) -> T:
        """Do something; do it again, if nothing was done and it may succeed then.

        On a connection that was lost it is done once more; where others were in the way a few
        times, for each time at least one of them has come through.

        :raises StoreError: if the database fails.
        """
        began = time.monotonic()

        def persistently() -> T:
            for _ in range(AGAIN_TIMES):
                try:
                    return once()
                except DBAPIError as error:
                    if not _did_nothing(error) or time.monotonic() - began > AGAIN_SECONDS:
                        raise
                    if error.connection_invalidated:
                        break
            return once()

        return or_store_error(persistently)

    def let_others(self) -> None:
        """Stand back between two transactions of many, where others can't write beside them."""
        if self._line is not None:
            self._line.stand_back()

    def _once(self, work: Callable[[Step], T], *, lightly: bool = False) -> T:
        connection = self._connection()
        driver: Any = connection.dbapi_connection
        step = Step(self._speak, driver, lightly=lightly)
        try:
            result = work(step)
            step.end()
        except self._dialect.loaded_dbapi.Error as error:
            raise self._broken_off(error, connection, step) from error
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
        except self._dialect.loaded_dbapi.Error as error:
            gone = self._dialect.is_disconnect(error, None, None)
            raise self._named(error, gone=gone) from error

    def _broken_off(
        self, error: Exception, connection: PoolProxiedConnection, step: Step
    ) -> Exception:
        """Leave no transaction open; return what is to be raised."""
        driver: Any = connection.dbapi_connection
        gone = self._dialect.is_disconnect(error, driver, None)  # type: ignore[arg-type]
        named = self._named(error, gone=gone)
        if gone or error_code(named) in READ_ONLY:
            named.connection_invalidated = True
            self._lost_at = time.monotonic()
            connection.invalidate(error)
        else:
            try:
                driver.rollback()
            except self._dialect.loaded_dbapi.Error:
                connection.invalidate()
        if gone and step.ending:  # it may have been done
            return StoreError(f"the OTP database failed at COMMIT: {type(named).__name__}")
        return named

    def _named(self, error: Exception, *, gone: bool) -> DBAPIError:
        """Return a driver's error by SQLAlchemy's name, without what was to be stored."""
        return DBAPIError.instance(  # type: ignore[return-value]
            "",
            None,
            error,
            self._dialect.loaded_dbapi.Error,
            hide_parameters=True,
            connection_invalidated=gone,
            dialect=self._dialect,
        )


def or_store_error(work: Callable[[], T]) -> T:
    """Do work; tell by a :class:`StoreError` if the database fails."""
    try:
        return work()
    except SQLAlchemyError as error:
        failure = error
    # Outside of the handler, so that nothing is chained but what is meant to be: a driver's message
    # about a value repeats the value.
    cause = None if isinstance(failure, DataError | IntegrityError) else failure
    raise StoreError(f"the OTP database failed: {type(failure).__name__}") from cause


def _note_age(_driver: object, record: ConnectionPoolEntry) -> None:
    record.info["since"] = time.monotonic()


def _did_nothing(error: DBAPIError) -> bool:
    """Tell whether a transaction that failed before COMMIT may succeed if it is run again."""
    if isinstance(error, IntegrityError):  # another node inserted the same row: it is there by now
        return True
    return error.connection_invalidated or error_code(error) in _ROLLED_BACK
