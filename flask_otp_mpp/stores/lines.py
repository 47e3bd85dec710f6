"""What belongs together travels together: a transaction that decides takes two journeys.

The first one begins it and reads, the second one writes and commits. A server gets what is said at
once as one text: it begins when it has all of it, and does nothing that follows an error. SQLite
needs no such thing, there a statement is a call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, Protocol, TypeAlias

from sqlalchemy.exc import DataError

from flask_otp_mpp.stores.sentences import Row, Sentence, Values
from flask_otp_mpp.stores.tables import MYSQL

Said: TypeAlias = tuple[Sentence, Values]


class Speak(Protocol):
    """Say statements over a driver's connection that commits by itself."""

    def __call__(
        self, driver: Any, said: Sequence[Said], *, begin: bool, commit: bool
    ) -> list[list[Row]]:
        """Return the rows of each.

        :param begin: whether to begin a transaction before.
        :param commit: whether to commit it after.
        """
        ...


BEGIN: Final = {
    # A deferred transaction that reads first fails when it then has to write beside another one.
    "sqlite": "BEGIN IMMEDIATE",
    "postgresql": "BEGIN ISOLATION LEVEL READ COMMITTED",
    **dict.fromkeys(MYSQL, "BEGIN"),
}


def speaker(backend: str) -> Speak:
    """Return how a kind of database is spoken to, by SQLAlchemy's name of its dialect."""
    if backend == "sqlite":
        return _to_sqlite
    return partial(_to_server, _LITERALS[backend], BEGIN[backend])


def _to_sqlite(driver: Any, said: Sequence[Said], *, begin: bool, commit: bool) -> list[list[Row]]:
    if begin:
        driver.execute(BEGIN["sqlite"])
    found = [
        sentence.rows(driver.execute(sentence.text, sentence.values(values)))
        for sentence, values in said
    ]
    if commit:
        driver.execute("COMMIT")
    return found


def _to_server(
    literal: Callable[[Any], str],
    begins: str,
    driver: Any,
    said: Sequence[Said],
    *,
    begin: bool,
    commit: bool,
) -> list[list[Row]]:
    texts = [begins] if begin else []
    for sentence, values in said:
        texts.append(sentence.text % tuple(map(literal, sentence.values(values))))
    if commit:
        texts.append("COMMIT")
    found: list[list[Row]] = []
    with driver.cursor() as cursor:
        cursor.execute(";".join(texts))
        if begin:
            cursor.nextset()
        for sentence, _ in said:
            found.append(sentence.rows(cursor.fetchall()) if sentence.reads else [])
            cursor.nextset()
    return found


def _postgresql_literal(value: Any) -> str:
    plain = getattr(value, "obj", value)  # the driver's Binary is around bytes
    if isinstance(plain, str) and "\0" in plain:  # it has no such text, and may not look at it
        raise DataError("", None, ValueError("a text holds a NUL"))
    return _literal(plain, "convert_from(decode('{}', 'hex'), 'UTF8')", "decode('{}', 'hex')")


def _mysql_literal(value: Any) -> str:
    return _literal(value, "_utf8mb4 x'{}'", "x'{}'")


def _literal(value: Any, text: str, binary: str) -> str:
    """Write a value by digits alone: there is nothing in it to break out of."""
    match value:
        case None:
            return "NULL"
        case int():
            return str(int(value))
        case str():
            return text.format(value.encode().hex())
        case bytes():
            return binary.format(value.hex())
    raise TypeError(f"no literal is known for {type(value).__name__}")


_LITERALS: Final = {
    "postgresql": _postgresql_literal,
    **dict.fromkeys(MYSQL, _mysql_literal),
}
