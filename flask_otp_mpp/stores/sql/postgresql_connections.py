"""Connections to PostgreSQL: how they are opened, and how long a silent server is waited for."""

from __future__ import annotations

import logging
import math
import re
import select
import time
from collections.abc import Callable, Generator, Sequence
from typing import Any, Final, TypeVar

import psycopg
import sqlalchemy as sa
from psycopg.adapt import Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult

from flask_otp_mpp.core.deadline import seconds_left
from flask_otp_mpp.stores.options import StoreOptions
from flask_otp_mpp.stores.sql.dialect import IDLE_SECONDS, Row

logger = logging.getLogger("flask_otp_mpp")
T = TypeVar("T")
_SILENT: Final = "the server does not answer"
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

    def query(self, text: str) -> list[list[Row]]:
        """Execute statements that are one text; return the rows of each.

        It calls libpq, since psycopg's cursors take twice the processor time for it.

        :raises psycopg.Error: that of the first statement that failed; none behind it is executed.
        """
        libpq, end = self.pgconn, time.monotonic() + seconds_left(self.wait_seconds)
        libpq.send_query(text.encode())
        while libpq.flush():
            self._await(select.POLLIN | select.POLLOUT, end)
            libpq.consume_input()
        results: list[PGresult] = []
        while True:
            while libpq.is_busy():
                self._await(select.POLLIN, end)
                libpq.consume_input()
            if (result := libpq.get_result()) is None:
                break
            results.append(result)
        if results[-1].status == ExecStatus.FATAL_ERROR:
            raise error_from_result(results[-1])
        values, rows = Transformer(self), []
        for result in results:
            values.set_pgresult(result)
            rows.append(values.load_rows(0, result.ntuples, tuple))
        return rows

    def _await(self, events: int, end: float) -> None:
        """Wait until the server has sent something, or takes something.

        :param events: which of both, as ``poll`` takes it.
        """
        poll = select.poll()
        poll.register(self.pgconn.socket, events)
        if not poll.poll(max(0, end - time.monotonic()) * 1000):
            self.close()
            raise psycopg.OperationalError(_SILENT)

    def wait(self, gen: Generator[Any, Any, T], *args: Any, **kwargs: Any) -> T:
        bounded = _bounded(gen, seconds_left(self.wait_seconds), self.close)
        return super().wait(bounded, *args, **kwargs)

    @classmethod
    def _connect_gen(cls, *args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        # libpq's own time-out for it has whole seconds, and is 2 at least.
        connecting = super()._connect_gen(*args, **kwargs)
        return _bounded(connecting, seconds_left(math.inf), lambda: None)


def _bounded(
    gen: Generator[Any, Any, T], seconds: float, close: Callable[[], object]
) -> Generator[Any, Any, T]:
    """Hand everything on; psycopg asks again, with nothing, about ten times a second.

    :param close: called if the server has been silent for these seconds.
    """
    end = time.monotonic() + seconds
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if not ready and time.monotonic() > end:
                gen.close()
                close()
                raise psycopg.OperationalError(_SILENT)
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
