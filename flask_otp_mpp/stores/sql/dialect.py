"""What belongs together travels together: a transaction that decides takes two journeys.

The first one begins it and reads, the second one writes and commits. A server gets what is said at
once as one text: it begins when it has all of it, and does nothing that follows an error. SQLite
needs no such thing, there a statement is a call.

PostgreSQL keeps plans of statements for each connection; one is asked for when it is first needed,
in the same text.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, Final, Protocol, TypeAlias

from flask_otp_mpp.stores.sql import literals
from flask_otp_mpp.stores.sql import sqlite as turns
from flask_otp_mpp.stores.sql.sentences import Row, Sentence, Values
from flask_otp_mpp.stores.sql.tables import MYSQL

logger = logging.getLogger("flask_otp_mpp")
Said: TypeAlias = tuple[Sentence, Values]
MISPLACED: Final = {"26000", "42P05"}
"""A plan is not there, or is there already: this is not the connection that it seems to be."""


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
    if backend == "sqlite":
        return _to_sqlite
    return _ByPlans() if backend == "postgresql" else _to_mysql


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
    before = [BEGIN["mysql"]] if begin else []
    found: list[list[Row]] = []
    with driver.cursor() as cursor:
        cursor.execute(_joined(before, _in_words(literals.for_mysql, said), commit=commit))
        for _ in before:
            cursor.nextset()
        for sentence, _ in said:
            found.append(sentence.rows(cursor.fetchall()) if sentence.reads else [])
            cursor.nextset()  # which is when an error of a later one is told
    return found


class _ByPlans:
    """Speak to PostgreSQL by statements that the connection has planned.

    Behind a pooler the next transaction may have another connection. Once that is found out, all is
    said in full; what found it out is rolled back and run again.
    """

    def __init__(self) -> None:
        self._pooled = False

    def __call__(
        self, driver: Any, said: Sequence[Said], *, begin: bool, commit: bool, lightly: bool
    ) -> list[list[Row]]:
        before: list[str] = []
        if self._pooled:
            texts = _in_words(literals.for_postgresql, said)
            plans = None
        else:
            # After an error nobody knows which plans there are: all are made anew.
            plans, driver.plans = driver.plans, None
            if plans is None:
                before.append("DEALLOCATE ALL")
                plans = set()
            texts = _planned(plans, before, said)
        if begin:
            before.append(BEGIN["postgresql"])
        if begin and lightly:
            before.append("SET LOCAL synchronous_commit = off")
        try:
            found = _answered(driver, _joined(before, texts, commit=commit), len(before), said)
        except Exception as error:
            if getattr(error, "sqlstate", None) in MISPLACED and not self._pooled:
                self._pooled = True
                logger.warning("the OTP database is behind a pooler: statements are not kept there")
            raise
        driver.plans = plans
        return found


def _planned(plans: set[str], before: list[str], said: Sequence[Said]) -> list[str]:
    """Write what asks for plans; add those that must be made to ``plans`` and ``before``."""
    texts = []
    for sentence, values in said:
        name, plan = _plan(sentence)
        if name not in plans:
            plans.add(name)
            before.append(plan)
        given = ",".join(map(literals.for_postgresql, sentence.values(values)))
        texts.append(f"EXECUTE {name}({given})" if given else f"EXECUTE {name}")
    return texts


def _answered(driver: Any, text: str, first: int, said: Sequence[Said]) -> list[list[Row]]:
    """Say a text, and pick the rows of what reads in it.

    :param first: the place of the first of what is said in the text.
    """
    found: list[list[Row]] = []
    with driver.cursor() as cursor:
        cursor.execute(text)  # and all of it has been answered
        here = 0
        for place, (sentence, _) in enumerate(said, first):
            if sentence.reads:
                while here < place:
                    here += cursor.nextset()
            found.append(sentence.rows(cursor.fetchall()) if sentence.reads else [])
    return found


@lru_cache
def _plan(sentence: Sentence) -> tuple[str, str]:
    """Return the name of a statement's plan, and what makes it."""
    numbered = sentence.text % tuple(f"${number + 1}" for number in range(sentence.places))
    name = f"otp_mpp_{hashlib.sha256(numbered.encode()).hexdigest()[:16]}"
    return name, f"PREPARE {name} AS {numbered}"


def _in_words(literal: Callable[[Any], str], said: Sequence[Said]) -> list[str]:
    return [
        sentence.text % tuple(map(literal, sentence.values(values))) for sentence, values in said
    ]


def _joined(before: Iterable[str], texts: Iterable[str], *, commit: bool) -> str:
    return ";".join([*before, *texts, *(["COMMIT"] if commit else ())])
