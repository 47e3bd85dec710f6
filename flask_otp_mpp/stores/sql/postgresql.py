"""A PostgreSQL server that says nothing is waited for no longer than a caller waits for us.

Its own time-outs can't help if it is frozen or if nothing arrives from it, and libpq waits for an
answer for ever.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import Any, TypeVar

import psycopg
import sqlalchemy as sa

T = TypeVar("T")


class Patient(psycopg.Connection[Any]):
    """Be a connection that closes itself when the server has been silent for too long."""

    silence: float = 3
    plans: set[str] | None = None  # None until it is known which statements are planned on it

    def wait(self, gen: Generator[Any, Any, T], *args: Any, **kwargs: Any) -> T:
        return super().wait(self._bounded(gen), *args, **kwargs)

    def _bounded(self, gen: Generator[Any, Any, T]) -> Generator[Any, Any, T]:
        """Hand everything on; psycopg asks again, with nothing, about ten times a second."""
        end = time.monotonic() + self.silence
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


def patiently(silence: float) -> Callable[..., Patient]:
    """Let an engine connect as it would, to connections that lose patience.

    :param silence: seconds for which the server may say nothing.
    """

    def connect(
        _dialect: sa.Dialect, _record: object, arguments: list[Any], options: dict[str, Any]
    ) -> Patient:
        connection = Patient.connect(*arguments, **options)
        connection.silence = silence
        return connection

    return connect
