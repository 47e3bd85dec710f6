"""What belongs together travels together: a transaction that decides takes two journeys.

The first one begins it and reads, the second one writes and commits. A server gets what is said at
once as one text: it begins when it has all of it, and does nothing that follows an error. SQLite
needs no such thing, there a statement is a call.

PostgreSQL keeps plans of statements for each connection; one is asked for when it is first needed,
in the same text. Its name stands for one wording, so that versions of this package can share a
connection through a pooler.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Final, Protocol, TypeAlias

from flask_otp_mpp.stores import literals, turns
from flask_otp_mpp.stores.sentences import Row, Sentence, Values
from flask_otp_mpp.stores.tables import MYSQL

Said: TypeAlias = tuple[Sentence, Values]


class Speak(Protocol):
    """Say statements over a driver's connection that commits by itself."""

    def __call__(
        self,
        driver: Any,
        said: Sequence[Said],
        *,
        begin: bool,
        commit: bool,
        lightly: bool,
    ) -> list[list[Row]]:
        """Return the rows of each.

        :param begin: whether to begin a transaction before.
        :param commit: whether to commit it after.
        :param lightly: whether a crash may take back the transaction that begins here, so that it
            need not wait for the disk.
        """
        ...


BEGIN: Final = {
    "sqlite": turns.BEGIN,
    "postgresql": "BEGIN ISOLATION LEVEL READ COMMITTED",
    **dict.fromkeys(MYSQL, "BEGIN"),
}


def speaker(backend: str) -> Speak:
    """Return how a kind of database is spoken to, by SQLAlchemy's name of its dialect."""
    return {"sqlite": _to_sqlite, "postgresql": _to_postgresql}.get(backend, _to_mysql)


def _to_sqlite(
    driver: Any, said: Sequence[Said], *, begin: bool, commit: bool, lightly: bool
) -> list[list[Row]]:
    if begin:
        driver.begin(lightly=lightly)
    found = [
        sentence.rows(driver.execute(sentence.text, sentence.values(values)))
        for sentence, values in said
    ]
    if commit:
        driver.execute("COMMIT")
    return found


def _to_mysql(
    driver: Any, said: Sequence[Said], *, begin: bool, commit: bool, lightly: bool
) -> list[list[Row]]:
    """Say it; how long a commit waits for the disk, only the server's own settings tell."""
    texts = [
        sentence.text % tuple(map(literals.for_mysql, sentence.values(values)))
        for sentence, values in said
    ]
    before = [BEGIN["mysql"]] if begin else []
    found: list[list[Row]] = []
    with driver.cursor() as cursor:
        cursor.execute(_joined(before, texts, commit=commit))
        for _ in before:
            cursor.nextset()
        for sentence, _ in said:
            found.append(sentence.rows(cursor.fetchall()) if sentence.reads else [])
            cursor.nextset()  # which is when an error of a later one is told
    return found


def _to_postgresql(
    driver: Any, said: Sequence[Said], *, begin: bool, commit: bool, lightly: bool
) -> list[list[Row]]:
    # After an error nobody knows which plans there are: all are made anew.
    known, driver.plans = driver.plans, None
    before = ["DEALLOCATE ALL"] if known is None else []
    plans: set[str] = set() if known is None else known
    texts = []
    for sentence, values in said:
        name, plan = _plan(sentence)
        if name not in plans:
            plans.add(name)
            before.append(plan)
        given = ",".join(map(literals.for_postgresql, sentence.values(values)))
        texts.append(f"EXECUTE {name}({given})" if given else f"EXECUTE {name}")
    if begin:
        before.append(BEGIN["postgresql"])
    if begin and lightly:
        before.append("SET LOCAL synchronous_commit = off")
    found: list[list[Row]] = []
    with driver.cursor() as cursor:
        cursor.execute(_joined(before, texts, commit=commit))  # and all of it has been answered
        here = 0
        for place, (sentence, _) in enumerate(said, len(before)):
            if sentence.reads:
                while here < place:
                    here += cursor.nextset()
            found.append(sentence.rows(cursor.fetchall()) if sentence.reads else [])
    driver.plans = plans
    return found


@lru_cache
def _plan(sentence: Sentence) -> tuple[str, str]:
    """Return the name of a statement's plan, and what makes it."""
    numbered = sentence.text % tuple(f"${number + 1}" for number in range(sentence.places))
    name = f"otp_mpp_{hashlib.sha256(numbered.encode()).hexdigest()[:16]}"
    return name, f"PREPARE {name} AS {numbered}"


def _joined(before: Iterable[str], texts: Iterable[str], *, commit: bool) -> str:
    return ";".join([*before, *texts, *(["COMMIT"] if commit else ())])
