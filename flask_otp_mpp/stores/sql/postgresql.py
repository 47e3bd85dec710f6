"""PostgreSQL for the SQL store, by psycopg.

A batch is one text of several statements. PostgreSQL plans a statement once for each connection: a
text says PREPARE when it is first needed there, and EXECUTE from then on. Values stand in it as
digits, or as printable ASCII without quotes and backslashes between quotes, so that no mode and no
encoding of the server can read a text as anything else.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import psycopg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DataError, DBAPIError

from flask_otp_mpp.stores.options import StoreOptions
from flask_otp_mpp.stores.sql import unfit
from flask_otp_mpp.stores.sql.dialect import (
    GRANT,
    PRIMARY,
    Batch,
    Database,
    Failure,
    Row,
    first_line,
    number_literal,
    server_options,
)
from flask_otp_mpp.stores.sql.postgresql_connections import (
    NO_OPTIONS,
    Connections,
    TimeoutConnection,
    survive_names,
)
from flask_otp_mpp.stores.sql.statements import CompiledStatement

logger = logging.getLogger("flask_otp_mpp")
_BEGIN: Final = "BEGIN ISOLATION LEVEL READ COMMITTED"
# A plan is not there, or is there already: this is not the connection that it seems to be.
_OTHER_CONNECTION: Final = ("26000", "42P05")
_FAILURES: Final = {
    "25006": Failure.READ_ONLY,
    "57014": Failure.TOO_SLOW,
    **dict.fromkeys(("40001", "40P01", *_OTHER_CONNECTION), Failure.ROLLED_BACK),
}
_USER: Final = "correct user and password in OTP_MPP_STORE"
_TLS: Final = "correct sslmode and sslrootcert in OTP_MPP_STORE, or the server's certificate"
# A server tells no code of an error to who can't connect.
_REMEDIES: Final = {
    r'(role ".*" does not exist)': "create it, or correct the user in OTP_MPP_STORE",
    r'(role "(.*)" is not permitted to log in)': r"ALTER ROLE \2 LOGIN",
    r'(\w+ authentication failed for user ".*")': _USER,
    r"(no password supplied)": _USER,
    r"((?:no )?pg_hba\.conf (?:entry|rejects connection) for .*)": (
        "let it in by pg_hba.conf, or correct user, database and sslmode in OTP_MPP_STORE"
    ),
    r"(server does not support SSL.*|certificate verify failed|root certificate file .*)": _TLS,
    r"(server certificate for .* does not match .*)": _TLS,
    r'(database ".*" does not exist)': "create it, or correct its name in OTP_MPP_STORE",
    r'(permission denied for database ".*")': "grant the role CONNECT on it",
    r"(permission denied for schema .*)": "grant it USAGE on the schema, and CREATE for init-db",
    r"(no schema has been selected .*)": "create the schema of its search_path",
    r"(must be owner of .*)": "run the command as the owner of the tables",
    r"(permission denied for .*)": GRANT,
    r"(cannot execute .* in a read-only transaction)": PRIMARY,
    f"((?:{NO_OPTIONS}).*)": (
        "take options out of OTP_MPP_STORE, and set them by ALTER ROLE ... SET"
    ),
}
# Where a server speaks another language.
_REFUSALS: Final = {"42501": GRANT, "3F000": "create the schema of its search_path"}
_NAME: Final = "SELECT version(), count(*) FROM pg_class WHERE relname = 'iam_pg_role_mappings'"
"""Of these databases, Aurora DSQL alone has that table; it calls itself PostgreSQL."""
_PLAIN: Final = re.compile(r"[ -&(-\[\]-~]*").fullmatch
"""Finds printable ASCII without ' and \\, which means itself in each mode and encoding."""
_TABLES_LOCK: Final = (
    "SELECT pg_try_advisory_xact_lock("
    f"hashtextextended(coalesce(current_schema(), ''), {int.from_bytes(b'otp_mpp')}))"
)
"""Each schema has a lock of its own: wallets that share a database do not wait for one another."""
_STATE: Final = """
SELECT pg_is_in_recovery(), current_setting('transaction_read_only'),
(SELECT string_agg(extname, ' and ') FROM pg_extension WHERE extname IN ('bdr', 'spock'))
"""


class PostgreSQL(Database):
    """PostgreSQL servers."""

    # now() would be the beginning of the transaction.
    time = "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)"
    failures = _FAILURES
    remedies = _REMEDIES

    def __init__(self, options: StoreOptions) -> None:
        super().__init__(options)
        self._behind_pooler = False
        self._connections = Connections(options)

    def engine_options(self, url: sa.URL) -> dict[str, Any]:
        unfit.single_writer(url)
        options = self.options
        arguments = {
            "connect_timeout": options.connect_timeout,  # libpq takes less than 2 for 2
            "tcp_user_timeout": options.silence_timeout * 1000,
            "application_name": "flask-otp-mpp",
        }
        query = url.query.get("options", ())
        own = {name: value for name, value in arguments.items() if name not in url.query}
        fixed = {
            "autocommit": True,
            "prepare_threshold": None,  # no two texts are the same: there is nothing to prepare
            "client_encoding": "utf8",  # of a database in SQL_ASCII, psycopg would return bytes
            "options": query if isinstance(query, str) else " ".join(query),
        }
        return server_options({**own, **fixed}, options)

    def prepare(self, engine: sa.Engine) -> None:
        def connect(
            _dialect: sa.Dialect, _record: object, args: list[Any], kwargs: dict[str, Any]
        ) -> TimeoutConnection:
            kwargs.pop("writer", None)
            return self._connections.open(*args, **kwargs)

        sa.event.listen(engine, "do_connect", connect)
        survive_names(engine.dialect)

    def begin(self, db: sa.Connection) -> None:
        durable = db.get_execution_options().get("durable", True)
        begin = self._beginning(db.connection.dbapi_connection, durable=durable)
        db.exec_driver_sql(";".join(begin))

    def _beginning(self, driver: Any, *, durable: bool) -> list[str]:
        bounds = driver.bounds if self._connections.without_options else ()
        return [_BEGIN, *bounds, *([] if durable else ["SET LOCAL synchronous_commit = off"])]

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
            before += self._beginning(driver, durable=durable)
        try:
            found = driver.query(";".join([*before, *texts, *(["COMMIT"] if commit else ())]))
        except psycopg.Error as error:
            if error.sqlstate in _OTHER_CONNECTION and not self._behind_pooler:
                self._behind_pooler = self._connections.without_options = True
                logger.warning("the OTP database is behind a pooler: statements are not kept there")
            raise
        driver.plans = plans
        return [
            statement.rows(rows)
            for (statement, _), rows in zip(batch, found[len(before) :], strict=False)
        ]

    @staticmethod
    def code(error: DBAPIError) -> object:
        return getattr(error.orig, "sqlstate", None)

    def insert_if_missing(self, table: sa.Table, values: Mapping[str, Any]) -> sa.Insert:
        return insert(table).values(**values).on_conflict_do_nothing()

    def delete_some(
        self, db: sa.Connection, key: sa.Column[str], over: sa.ColumnElement[bool], limit: int
    ) -> int:
        """Delete by a list of keys; skip rows that are locked."""
        found = sa.select(key).where(over).limit(limit).with_for_update(skip_locked=True)
        keys = sa.func.array(found.scalar_subquery())
        return db.execute(sa.delete(key.table).where(key == sa.func.any(keys), over)).rowcount

    def answers(self, error: DBAPIError) -> bool:
        lost = isinstance(error.orig, psycopg.OperationalError) and self.code(error) is None
        return not lost or "FATAL: " in first_line(error)

    def access_fault(self, error: DBAPIError) -> str | None:
        remedy = _REFUSALS.get(str(self.code(error)))
        return super().access_fault(error) or (remedy and f"{first_line(error)}; {remedy}")

    def unfit(self, db: sa.Connection) -> str | None:
        version, dsql = db.exec_driver_sql(_NAME).one()
        name = "Aurora DSQL" if int(dsql) else version
        if (fault := unfit.lookalike("PostgreSQL", name)) is not None:
            return fault
        standby, read_only, writers = db.exec_driver_sql(_STATE).one()
        if writers is not None and not unfit.single_writer(db.engine.url):
            return unfit.several_writers(f"a cluster of {writers}")
        if standby:
            return f"can only be read, because it is a standby; {PRIMARY}"
        if read_only == "on":
            return (
                "can only be read: default_transaction_read_only is on; set it off for the role "
                f"and the database, or {PRIMARY}"
            )
        return None

    def lock_tables(self, db: sa.Connection) -> bool:
        # A lock of the session would be lost behind a pooler.
        return bool(db.exec_driver_sql(_TABLES_LOCK).scalar_one())

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
        if _PLAIN(value):
            return f"'{value}'"
        if "\0" in value:  # the server may not look at it in time
            raise DataError("", None, ValueError("a text holds a NUL"))
        return f"convert_from(decode('{value.encode().hex()}', 'hex'), 'UTF8')"
    plain = getattr(value, "obj", value)  # the driver's Binary is around bytes
    return f"decode('{plain.hex()}', 'hex')" if type(plain) is bytes else number_literal(plain)


DATABASE: Final = PostgreSQL
