"""What belongs together travels together: a transaction that decides takes two journeys.

The first one begins it and reads, the second one writes and commits. How several statements are
sent at once is another matter for each driver; SQLite needs no such thing, a statement is a call.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any, Final, Protocol, TypeAlias

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
    ways: dict[str, Speak] = {"sqlite": _to_sqlite, "postgresql": _to_postgresql}
    return ways.get(backend, _to_mysql)


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


def _to_postgresql(
    driver: Any, said: Sequence[Said], *, begin: bool, commit: bool
) -> list[list[Row]]:
    """Send by the pipeline mode of libpq 14 or newer: what follows an error is not done."""
    together = len(said) + begin + commit > 1
    with driver.pipeline() if together else nullcontext():
        if begin:
            driver.execute(BEGIN["postgresql"], prepare=False)
        cursors = [
            driver.execute(sentence.text, sentence.values(values)) for sentence, values in said
        ]
        if commit:
            driver.execute("COMMIT", prepare=False)
    return [
        sentence.rows(cursor.fetchall()) if sentence.reads else []
        for (sentence, _), cursor in zip(said, cursors, strict=True)
    ]


def _to_mysql(driver: Any, said: Sequence[Said], *, begin: bool, commit: bool) -> list[list[Row]]:
    """Send as one text: what follows an error is not done."""
    texts = [
        sentence.text % tuple(map(_literal, sentence.values(values))) for sentence, values in said
    ]
    if begin:
        texts.insert(0, BEGIN["mysql"])
    if commit:
        texts.append("COMMIT")
    found: list[list[Row]] = []
    with driver.cursor() as cursor:
        cursor.execute(";".join(texts))
        if begin:
            cursor.nextset()
        for sentence, _ in said:
            found.append(sentence.rows(cursor.fetchall()))
            cursor.nextset()
    return found


def _literal(value: Any) -> str:
    """Write a value without a quote or a backslash: there is nothing in it to break out of."""
    match value:
        case None:
            return "NULL"
        case int():
            return str(int(value))
        case bytes():
            return f"x'{value.hex()}'"
        case str():
            return f"_utf8mb4 x'{value.encode().hex()}'"
    raise TypeError(f"no literal is known for {type(value).__name__}")
