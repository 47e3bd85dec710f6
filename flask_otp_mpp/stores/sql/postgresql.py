"""PostgreSQL for the SQL store, by psycopg.

A batch is one text of several statements. PostgreSQL plans a statement once for each connection: a
text says PREPARE when it is first needed there, and EXECUTE from then on. Values stand in it as
digits only, so that no mode and no encoding of the server can read a text as anything else.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Generator, Mapping
from functools import lru_cache
from typing import Any, Final, TypeVar

import psycopg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DataError, DBAPIError

from flask_otp_mpp.core.deadline import seconds_left
from flask_otp_mpp.stores.sql.dialect import (
    GRANT,
    IDLE_SECONDS,
    Batch,
    Database,
    Failure,
    Row,
    execute_text,
    number_literal,
    server_options,
)
from flask_otp_mpp.stores.sql.statements import CompiledStatement

logger = logging.getLogger("flask_otp_mpp")
T = TypeVar("T")
_BEGIN: Final = "BEGIN ISOLATION LEVEL READ COMMITTED"
# A plan is not there, or is there already: this is not the connection that it seems to be.
_OTHER_CONNECTION: Final = ("26000", "42P05")
_FAILURES: Final = {
    "25006": Failure.READ_ONLY,
    "57014": Failure.TOO_SLOW,
    **dict.fromkeys(("40001", "40P01", *_OTHER_CONNECTION), Failure.ROLLED_BACK),
}
_USER: Final = "correct user and password in OTP_MPP_STORE"
_REMEDIES: Final = {
    r'(role ".*" does not exist)': "create it, or correct the user in OTP_MPP_STORE",
    r'(role "(.*)" is not permitted to log in)': r"ALTER ROLE \2 LOGIN",
    r'(\w+ authentication failed for user ".*")': _USER,
    r"(no password supplied)": _USER,
    r'(database ".*" does not exist)': "create it, or correct its name in OTP_MPP_STORE",
    r'(permission denied for database ".*")': "grant the role CONNECT on it",
    r"(permission denied for .*)": GRANT,
}


class TimeoutConnection(psycopg.Connection[Any]):
    """A connection that closes itself when the server has been silent for too long.

    The server's own time-outs can't help if it is frozen or if nothing arrives from it, and libpq
    waits for an answer for ever.

    :ivar wait_seconds: how long the server may be silent.
    :ivar plans: names of the statements that are planned on it; None if that is not known.
    """

    wait_seconds: float = 3
    plans: set[str] | None = None

    def wait(self, gen: Generator[Any, Any, T], *args: Any, **kwargs: Any) -> T:
        return super().wait(self._bounded(gen), *args, **kwargs)

    def _bounded(self, gen: Generator[Any, Any, T]) -> Generator[Any, Any, T]:
        """Hand everything on; psycopg asks again, with nothing, about ten times a second."""
        end = time.monotonic() + seconds_left(self.wait_seconds)
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if not ready and time.monotonic() > end:
                    gen.close()
                    self.close()
                    raise psycopg.OperationalError("the server does not answer")
                wanted = gen.send(ready)
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]


class PostgreSQL(Database):
    """PostgreSQL servers."""

    # now() would be the beginning of the transaction.
    time = "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)"
    failures = _FAILURES
    remedies = _REMEDIES
    _behind_pooler = False

    def engine_options(self, url: sa.URL) -> dict[str, Any]:
        options = self.options
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
        query = url.query.get("options", ())
        given = (query,) if isinstance(query, str) else query
        own = {name: value for name, value in arguments.items() if name not in url.query}
        # No two texts are the same: the driver has nothing to prepare.
        fixed = {"autocommit": True, "prepare_threshold": None}
        # The last of several settings counts.
        return server_options({**own, **fixed, "options": " ".join((bounds, *given))}, options)

    def prepare(self, engine: sa.Engine) -> None:
        def connect(
            _dialect: sa.Dialect, _record: object, args: list[Any], kwargs: dict[str, Any]
        ) -> TimeoutConnection:
            connection = TimeoutConnection.connect(*args, **kwargs)
            connection.wait_seconds = self.options.silence_timeout
            return connection

        sa.event.listen(engine, "do_connect", connect)

    def begin(self, db: sa.Connection) -> None:
        db.exec_driver_sql(_BEGIN)

    def execute(
        self, driver: Any, batch: Batch, *, begin: bool, commit: bool, durable: bool
    ) -> list[list[Row]]:
        """Execute a batch by the statements that the connection has planned.

        Behind a pooler the next transaction may have another connection. Once that is found out,
        all statements are sent in full; what found it out is rolled back and run again.
        """
        before: list[str] = []
        plans: set[str] | None = None
        if self._behind_pooler:
            texts = [statement.literal(literal, parameters) for statement, parameters in batch]
        else:
            # After an error it is unknown which plans the server has: prepare all of them again.
            plans, driver.plans = driver.plans, None
            if plans is None:
                before.append("DEALLOCATE ALL")
                plans = set()
            texts = _planned(plans, before, batch)
        if begin:
            before.append(_BEGIN)
            if not durable:
                before.append("SET LOCAL synchronous_commit = off")
        try:
            found = execute_text(driver, before, texts, batch, commit=commit)
        except psycopg.Error as error:
            if error.sqlstate in _OTHER_CONNECTION and not self._behind_pooler:
                self._behind_pooler = True
                logger.warning("the OTP database is behind a pooler: statements are not kept there")
            raise
        driver.plans = plans
        return found

    @staticmethod
    def code(error: DBAPIError) -> object:
        return getattr(error.orig, "sqlstate", None)

    def insert_if_missing(self, table: sa.Table, values: Mapping[str, Any]) -> sa.Insert:
        return insert(table).values(**values).on_conflict_do_nothing()

    def delete_some(
        self, db: sa.Connection, key: sa.Column[str], over: sa.ColumnElement[bool], limit: int
    ) -> int:
        """Delete by where rows lie, which needs no index; skip rows that are locked."""
        place: sa.ColumnElement[Any] = sa.literal_column("ctid")
        found = sa.select(place).select_from(key.table).where(over).limit(limit)
        places = sa.func.array(found.with_for_update(skip_locked=True).scalar_subquery())
        return db.execute(sa.delete(key.table).where(place == sa.func.any(places), over)).rowcount

    def product(self, _dialect: sa.Dialect) -> tuple[str, tuple[int, ...]]:
        return "PostgreSQL", (13,)


def _planned(plans: set[str], before: list[str], batch: Batch) -> list[str]:
    """Write what executes plans; add those that must be made to ``plans`` and ``before``."""
    texts = []
    for statement, parameters in batch:
        name, plan = _plan(statement)
        if name not in plans:
            plans.add(name)
            before.append(plan)
        given = ",".join(map(literal, parameters))
        texts.append(f"EXECUTE {name}({given})" if given else f"EXECUTE {name}")
    return texts


@lru_cache
def _plan(statement: CompiledStatement) -> tuple[str, str]:
    """Return the name of a statement's plan, and what makes it."""
    numbered = statement.text % tuple(f"${number + 1}" for number in range(statement.places))
    name = f"otp_mpp_{hashlib.sha256(numbered.encode()).hexdigest()[:16]}"
    return name, f"PREPARE {name} AS {numbered}"


def literal(value: Any) -> str:
    """Write a value as the server reads it, whatever mode and encoding it is in.

    :raises DataError: for a text that PostgreSQL does not have.
    """
    if isinstance(value, str):
        if "\0" in value:  # the server may not look at it in time
            raise DataError("", None, ValueError("a text holds a NUL"))
        return f"convert_from(decode('{value.encode().hex()}', 'hex'), 'UTF8')"
    plain = getattr(value, "obj", value)  # the driver's Binary is around bytes
    return f"decode('{plain.hex()}', 'hex')" if type(plain) is bytes else number_literal(plain)


DATABASE: Final = PostgreSQL
