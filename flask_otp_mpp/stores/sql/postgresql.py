"""PostgreSQL for the SQL store, by psycopg.

A batch is one text of several statements. PostgreSQL plans a statement once for each connection: a
text says PREPARE when it is first needed there, and EXECUTE from then on. Values stand in it as
digits only, so that no mode and no encoding of the server can read a text as anything else.
"""

from __future__ import annotations

import hashlib
import logging
import re
import time
from collections.abc import Generator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, TypeVar

import psycopg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DataError, DBAPIError

from flask_otp_mpp.stores.options import StoreOptions
from flask_otp_mpp.stores.sql.dialect import (
    IDLE_SECONDS,
    BatchExecutor,
    Database,
    Failure,
    Row,
    first_line,
    number_literal,
    server_options,
)
from flask_otp_mpp.stores.sql.statements import BoundStatement, CompiledStatement

logger = logging.getLogger("flask_otp_mpp")
T = TypeVar("T")
_BEGIN: Final = "BEGIN ISOLATION LEVEL READ COMMITTED"
# A plan is not there, or is there already: this is not the connection that it seems to be.
_OTHER_CONNECTION: Final = {"26000", "42P05"}
_ROLLED_BACK: Final = {"40001", "40P01"} | _OTHER_CONNECTION
_READ_ONLY: Final = "25006"
_NOT_GRANTED: Final = "42501"
# There is no SQLSTATE for what refuses a connection; libpq hands on a text.
_REMEDIES: Final = {
    r'role "(.*)" does not exist': "create it, or correct the user in OTP_MPP_STORE",
    r'role "(.*)" is not permitted to log in': r"ALTER ROLE \1 LOGIN",
    r'\w+ authentication failed for user "(.*)"': "correct user and password in OTP_MPP_STORE",
    r"no password supplied": "add the password to OTP_MPP_STORE",
    r'database "(.*)" does not exist': "create it, or correct its name in OTP_MPP_STORE",
    r'permission denied for database "(.*)"': "grant the role CONNECT on it",
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
        end = time.monotonic() + self.wait_seconds
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
    """PostgreSQL servers; see :class:`~flask_otp_mpp.stores.sql.dialect.Database`."""

    # now() would be the beginning of the transaction.
    time = "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)"

    def engine_options(self, url: sa.URL, options: StoreOptions) -> dict[str, Any]:
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

    def prepare(self, engine: sa.Engine, options: StoreOptions) -> None:
        def connect(
            _dialect: sa.Dialect, _record: object, args: list[Any], kwargs: dict[str, Any]
        ) -> TimeoutConnection:
            connection = TimeoutConnection.connect(*args, **kwargs)
            connection.wait_seconds = options.silence_timeout
            return connection

        sa.event.listen(engine, "do_connect", connect)

    def begin(self, db: sa.Connection) -> None:
        db.exec_driver_sql(_BEGIN)

    def executor(self) -> BatchExecutor:
        return _PlannedBatches()

    def exact_text(self, length: int) -> sa.types.TypeEngine[str]:
        # A primary key must not depend on the operating system's rules for sorting.
        return sa.String(length, collation="C")

    def insert_if_missing(self, table: sa.Table, values: Mapping[str, Any]) -> sa.Insert:
        return insert(table).values(**values).on_conflict_do_nothing()

    def delete_some(
        self, db: sa.Connection, key: sa.Column[str], over: sa.ColumnElement[bool], limit: int
    ) -> int:
        """Delete by where rows lie, which needs no index; leave rows that somebody works on."""
        place: sa.ColumnElement[Any] = sa.literal_column("ctid")
        found = sa.select(place).select_from(key.table).where(over).limit(limit)
        places = sa.func.array(found.with_for_update(skip_locked=True).scalar_subquery())
        return db.execute(sa.delete(key.table).where(place == sa.func.any(places), over)).rowcount

    def failure(self, error: DBAPIError) -> Failure:
        state = getattr(error.orig, "sqlstate", None)
        if state == _READ_ONLY:
            return Failure.READ_ONLY
        return Failure.ROLLED_BACK if state in _ROLLED_BACK else Failure.OTHER

    def access_fault(self, error: DBAPIError) -> str | None:
        said = first_line(error).rpartition("FATAL:")[2].strip()
        if getattr(error.orig, "sqlstate", None) == _NOT_GRANTED:
            return f"{said}; grant it SELECT, INSERT, UPDATE and DELETE on the tables otp_mpp_*"
        for pattern, remedy in _REMEDIES.items():
            if (match := re.search(pattern, said)) is not None:
                return f"{said.replace(chr(34), chr(39))}; {match.expand(remedy)}"
        return None

    def product(self, _dialect: sa.Dialect) -> tuple[str, tuple[int, ...]]:
        return "PostgreSQL", (13,)


class _PlannedBatches:
    """Execute batches by the statements that a connection has planned.

    Behind a pooler the next transaction may have another connection. Once that is found out, all
    statements are sent in full; the transaction that found it out is rolled back and run again.
    """

    def __init__(self) -> None:
        self._behind_pooler = False

    def __call__(
        self,
        driver: Any,
        batch: Sequence[BoundStatement],
        *,
        begin: bool,
        commit: bool,
        durable: bool,
    ) -> list[list[Row]]:
        before: list[str] = []
        plans: set[str] | None = None
        if self._behind_pooler:
            texts = [statement.literal(literal, parameters) for statement, parameters in batch]
        else:
            # After an error nobody knows which plans there are: all are made anew.
            plans, driver.plans = driver.plans, None
            if plans is None:
                before.append("DEALLOCATE ALL")
                plans = set()
            texts = _planned(plans, before, batch)
        if begin:
            before.append(_BEGIN)
            if not durable:
                before.append("SET LOCAL synchronous_commit = off")
        text = ";".join([*before, *texts, *(["COMMIT"] if commit else ())])
        try:
            found = _results(driver, text, len(before), batch)
        except psycopg.Error as error:
            if error.sqlstate in _OTHER_CONNECTION and not self._behind_pooler:
                self._behind_pooler = True
                logger.warning("the OTP database is behind a pooler: statements are not kept there")
            raise
        driver.plans = plans
        return found


def _planned(plans: set[str], before: list[str], batch: Sequence[BoundStatement]) -> list[str]:
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


def _results(
    driver: Any, text: str, first: int, batch: Sequence[BoundStatement]
) -> list[list[Row]]:
    """Execute a text, and return the rows of what reads in it.

    :param first: the place of the batch's first statement in the text.
    """
    found: list[list[Row]] = []
    with driver.cursor() as cursor:
        cursor.execute(text)  # and all of it has been answered
        here = 0
        for place, (statement, _) in enumerate(batch, first):
            if statement.reads:
                while here < place:
                    here += cursor.nextset()
            found.append(statement.rows(cursor.fetchall()) if statement.reads else [])
    return found


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


DATABASE: Final = PostgreSQL()
