"""Connections to PostgreSQL: how they are opened, and how long a silent server is waited for."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Generator, Sequence
from typing import Any, Final, TypeVar

import psycopg
import sqlalchemy as sa

from flask_otp_mpp.core.deadline import seconds_left
from flask_otp_mpp.stores.options import StoreOptions
from flask_otp_mpp.stores.sql.dialect import IDLE_SECONDS

logger = logging.getLogger("flask_otp_mpp")
T = TypeVar("T")
NO_OPTIONS: Final = "unsupported startup parameter|RDS Proxy currently doesn.t support"
"""What poolers say that take no options when a connection begins: PgBouncer, RDS Proxy."""


class TimeoutConnection(psycopg.Connection[Any]):
    """A connection that closes itself when the server has been silent for too long.

    The server's own time-outs can't help if it is frozen or if nothing arrives from it, and libpq
    waits for an answer for ever.

    :ivar wait_seconds: how long the server may be silent.
    :ivar plans: names of the statements that are planned on it; None if that is not known.
    :ivar bounds: statements that set the time-outs of a transaction, where options could not.
    """

    wait_seconds: float = 3
    plans: set[str] | None = None
    bounds: Sequence[str] = ()

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


class Connections:
    """Open the connections of a store, each with the time-outs of its statements.

    A connection begins with them as ``options``. Poolers may refuse these. A SET would stay on a
    connection that somebody else gets next; so each transaction sets them for itself then, in the
    batch that begins it.

    :ivar without_options: whether each transaction has to set its time-outs.
    """

    def __init__(self, options: StoreOptions) -> None:
        wait = f"{options.statement_timeout}s"
        self._bounds = {
            "statement_timeout": wait,
            "lock_timeout": wait,
            "idle_in_transaction_session_timeout": f"{IDLE_SECONDS}s",
        }
        self._silence = options.silence_timeout
        self.without_options = False

    def open(self, *args: Any, options: str, **kwargs: Any) -> TimeoutConnection:
        """Open one.

        :param options: what the URL says; the last of several settings counts.
        """
        bounds = " ".join(f"-c {name}={value}" for name, value in self._bounds.items())
        connect = TimeoutConnection.connect
        try:
            both = options if self.without_options else f"{bounds} {options}"
            connection = connect(*args, options=both, **kwargs)
        except psycopg.OperationalError as error:
            if self.without_options or not re.search(NO_OPTIONS, str(error)):
                raise
            logger.warning("the OTP database's pooler refuses options: transactions set time-outs")
            self.without_options = True
            connection = connect(*args, options=options, **kwargs)
        connection.wait_seconds = self._silence
        connection.bounds = [
            f"SET LOCAL {name} = '{value}'"
            for name, value in self._bounds.items()
            if name not in options
        ]
        return connection


def survive_names(dialect: Any) -> None:
    """Let SQLAlchemy connect to a server of any name; it fails on a version without PostgreSQL's.

    Whether the server can serve is checked later, and told in a sentence.
    """
    read = dialect._get_server_version_info  # noqa: SLF001 - which dialects override

    def version(db: sa.Connection) -> tuple[int, ...]:
        try:
            found: tuple[int, ...] = read(db)
        except AssertionError:
            driver: Any = db.connection.dbapi_connection
            number: int = driver.info.server_version
            return divmod(number, 10000)
        return found

    dialect._get_server_version_info = version  # noqa: SLF001
