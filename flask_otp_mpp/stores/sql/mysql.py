"""MySQL and MariaDB for the SQL store, by PyMySQL.

A batch is one text of several statements. Values stand in it as digits only, so that no mode and no
character set of the server can read a text as anything else.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy as sa
from pymysql.connections import Connection
from sqlalchemy.dialects.mysql import insert
from sqlalchemy.exc import DBAPIError

from flask_otp_mpp.core.deadline import seconds_left
from flask_otp_mpp.stores.sql import unfit
from flask_otp_mpp.stores.sql.dialect import (
    GRANT,
    IDLE_SECONDS,
    PRIMARY,
    Batch,
    Database,
    Failure,
    Row,
    execute_text,
    number_literal,
    server_options,
)
from flask_otp_mpp.stores.sql.schema import INNODB
from flask_otp_mpp.stores.sql.types import ExactText

# MULTI_STATEMENTS, as a batch is one text; FOUND_ROWS, which SQLAlchemy expects.
_CLIENT_FLAGS: Final = 1 << 16 | 1 << 1
_MESSAGE: Final = r"""\(%s, ["'](.*)["']\)"""
_REMEDIES: Final = {
    _MESSAGE % "(?:1045|1698)": "create the user, or correct user and password in OTP_MPP_STORE",
    _MESSAGE % "1130": "let this host in, or correct the user in OTP_MPP_STORE",
    _MESSAGE % "(?:1820|1862)": "give the user a new password",
    _MESSAGE % "(?:3118|4151)": "ALTER USER ... ACCOUNT UNLOCK",
    _MESSAGE % "3159": "give ssl_ca in OTP_MPP_STORE",
    _MESSAGE % "2026": "take ssl_ca out of OTP_MPP_STORE, or give the server a certificate",
    _MESSAGE % "(?:1142, .(?:CREATE|ALTER|INDEX|DROP|REFERENCES)|1227)": (
        "grant it CREATE, ALTER, INDEX, REFERENCES and DROP, or run the command as another user"
    ),
    _MESSAGE % "(?:1044|1142|1143)": GRANT,
    _MESSAGE % "1049": "create it, or correct its name in OTP_MPP_STORE",
    _MESSAGE % "(?:1290|1792|1836)": PRIMARY,
    r"(CERTIFICATE_VERIFY_FAILED[^)]*)": "correct ssl_ca in OTP_MPP_STORE, or the certificate",
}
_FAILURES: Final = {
    1213: Failure.ROLLED_BACK,  # a deadlock
    **dict.fromkeys((1290, 1792, 1836), Failure.READ_ONLY),
    1205: Failure.TOO_SLOW,  # another one holds a row
    2013: Failure.TOO_SLOW,  # or the server is gone, which the next statement tells
}
# With sql_mode=ORACLE, BEGIN is the beginning of a block and no transaction.
_BEGIN: Final = "START TRANSACTION"
_STATE: Final = """
SHOW VARIABLES WHERE Variable_name IN ('wsrep_on', 'wsrep_provider', 'read_only', 'tx_read_only',
'transaction_read_only', 'group_replication_group_name', 'group_replication_single_primary_mode')
"""
_NODES: Final = "SHOW STATUS LIKE 'wsrep_cluster_size'"
_TABLES_LOCK: Final = "SELECT GET_LOCK(CONCAT('otp_mpp_', MD5(DATABASE())), 1)"
TLS_SECONDS: Final = 3600
"""How long certificates are used before they are read again: they are renewed, and reading takes
26 ms of CPU."""


class MySQL(Database):
    """MySQL and MariaDB servers."""

    # A local time would have an hour twice a year that it can't tell from the next.
    time = "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))"
    table_options = INNODB
    failures = _FAILURES
    remedies = _REMEDIES

    def engine_options(self, url: sa.URL) -> dict[str, Any]:
        unfit.single_writer(url)
        options = self.options
        arguments = {
            "connect_timeout": options.connect_timeout,
            "read_timeout": options.silence_timeout,
            "write_timeout": options.silence_timeout,
            "init_command": (
                f"SET SESSION innodb_lock_wait_timeout = {options.statement_timeout}, "
                # Whatever the server's: others change what a text or BEGIN means.
                "sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION' "
                # MariaDB reads on here; MySQL has no such limit, and takes it for a comment.
                f"/*M! , idle_transaction_timeout = {IDLE_SECONDS} */"
            ),
        }
        own = {name: value for name, value in arguments.items() if name not in url.query}
        # By another charset texts would be lost.
        fixed = {"autocommit": True, "charset": "utf8mb4", "client_flag": _CLIENT_FLAGS}
        return server_options({**own, **fixed}, options)

    def prepare(self, engine: sa.Engine) -> None:
        connection_class = _connection_class()

        def connect(
            _dialect: sa.Dialect, _record: object, args: list[Any], kwargs: dict[str, Any]
        ) -> Any:
            kwargs.pop("writer", None)
            kwargs["connect_timeout"] = _until_deadline(kwargs["connect_timeout"])
            return connection_class(*args, **kwargs)

        sa.event.listen(engine, "do_connect", connect)
        sa.event.listen(engine, "connect", _prepare)

    def begin(self, db: sa.Connection) -> None:
        db.exec_driver_sql(_BEGIN)

    def execute(
        self, driver: Any, batch: Batch, *, begin: bool, commit: bool, durable: bool
    ) -> list[list[Row]]:
        """Execute a batch; whether a commit waits for the disk, the server's settings tell."""
        texts = [statement.literal(literal, parameters) for statement, parameters in batch]
        return execute_text(driver, [_BEGIN] * begin, texts, batch, commit=commit)

    @staticmethod
    def code(error: DBAPIError) -> object:
        return error.orig.args[0] if error.orig is not None and error.orig.args else None

    def insert_if_missing(self, table: sa.Table, values: Mapping[str, Any]) -> sa.Insert:
        """Insert a row, or set its key to what it is: INSERT IGNORE would end in deadlocks."""
        [key] = table.primary_key.columns
        return insert(table).values(**values).on_duplicate_key_update({key.name: key})

    def delete_some(
        self, db: sa.Connection, key: sa.Column[str], over: sa.ColumnElement[bool], limit: int
    ) -> int:
        """Delete by a list of keys: MySQL takes no limit in a subquery, and is slower by a join."""
        keys = db.scalars(sa.select(key).where(over).limit(limit)).all()
        return db.execute(sa.delete(key.table).where(key.in_(keys), over)).rowcount

    def product(self, dialect: sa.Dialect) -> tuple[str, tuple[int, ...]]:
        mariadb = getattr(dialect, "is_mariadb", False)
        return ("MariaDB", (10, 6)) if mariadb else ("MySQL", (8, 0))

    def answers(self, error: DBAPIError) -> bool:
        code = self.code(error)
        return isinstance(code, int) and not 2000 <= code < 3000  # those are the driver's

    def unfit(self, db: sa.Connection) -> str | None:
        said = db.exec_driver_sql("SELECT @@version, @@version_comment").one()
        product, _ = self.product(db.dialect)
        if (fault := unfit.lookalike(product, *map(str, said))) is not None:
            return fault
        state = {name.lower(): value for name, value in db.exec_driver_sql(_STATE)}
        if not unfit.single_writer(db.engine.url):
            if state.get("wsrep_on") == "ON" and state.get("wsrep_provider") not in ("", "none"):
                _, nodes = db.exec_driver_sql(_NODES).one()
                return unfit.several_writers(f"a Galera cluster of {nodes}")
            if (
                state.get("group_replication_group_name")
                and state.get("group_replication_single_primary_mode") == "OFF"
            ):
                return unfit.several_writers("Group Replication with several primaries")
        for name in ("read_only", "tx_read_only", "transaction_read_only"):
            if state.get(name, "OFF") != "OFF":
                return f"can only be read, because {name} is {state[name]}; {PRIMARY}"
        return None

    def lock_tables(self, db: sa.Connection) -> bool:
        return bool(db.exec_driver_sql(_TABLES_LOCK).scalar_one())

    def table_faults(self, found: sa.Inspector, table: sa.Table) -> list[str]:
        """Find texts that are not compared exactly, and a storage engine without transactions."""
        faults = []
        types = {column["name"]: column["type"] for column in found.get_columns(table.name)}
        inexact = [
            repr(column.name)
            for column in table.columns
            if isinstance(column.type, ExactText)
            and not isinstance(types.get(column.name, sa.VARBINARY()), sa.VARBINARY)
        ]
        if inexact:
            faults.append(
                f"would treat 'Ada' and 'ada' as equal in {table.name}, {', '.join(inexact)}; "
                "drop the table and run `flask otp-mpp init-db`, or your own migrations"
            )
        engine = found.get_table_options(table.name).get("mysql_engine", "InnoDB")
        if engine != "InnoDB":
            faults.append(
                f"keeps {table.name} in {engine}, without transactions; "
                f"`ALTER TABLE {table.name} ENGINE=InnoDB`"
            )
        return faults


def literal(value: Any) -> str:
    """Write a value as the server reads it, whatever mode and charset it is in."""
    if isinstance(value, str):
        return f"_utf8mb4 x'{value.encode().hex()}'"
    return f"x'{value.hex()}'" if type(value) is bytes else number_literal(value)


def _until_deadline(seconds: float) -> float:
    """Return a time-out that ends with the request; PyMySQL knows none of 0."""
    return max(0.05, seconds_left(seconds))


def _connection_class() -> type[Connection[Any]]:
    """Return PyMySQL's connection, with one TLS context for all that are opened by an engine.

    Each time that it waits for the server ends with the request. PyMySQL would read the
    certificates of all authorities for each connection, also where it is not told to encrypt: it
    does where the server can.
    """
    known: list[tuple[float, ssl.SSLContext]] = []

    class StoreConnection(Connection):
        _silence: float

        @property
        def _read_timeout(self) -> float:
            return _until_deadline(self._silence)

        @_read_timeout.setter
        def _read_timeout(self, seconds: float) -> None:
            self._silence = seconds

        def _create_ssl_ctx(self, sslp: Any) -> ssl.SSLContext:
            now = time.monotonic()
            if not known or now - known[-1][0] > TLS_SECONDS:
                made: ssl.SSLContext = super()._create_ssl_ctx(sslp)  # type: ignore[misc]
                known[:] = [(now, made)]
            return known[-1][1]

    return StoreConnection


def _prepare(connection: Any, _record: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")


DATABASE: Final = MySQL
