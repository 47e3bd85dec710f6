"""Hear what a store's driver is given, and act before it is sent."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from typing import Any

import psycopg
import sqlalchemy as sa

BEGINNINGS = ("BEGIN", "START TRANSACTION")
"""What a transaction begins with, on one server or another."""


def begins(text: str) -> bool:
    """Tell whether a batch begins a transaction."""
    return any(beginning in text for beginning in BEGINNINGS)


def before_each_batch(engine: sa.Engine, act: Callable[[Any, str], None]) -> None:
    """Call ``act`` with the driver's connection and the text, before each text is sent.

    SQLite tells one statement at a time, values included; it does not tell what ``act`` raises.
    """
    engine.dispose()  # what is opened from now on is heard

    def listen(driver: Any, _record: object) -> None:
        if isinstance(driver, sqlite3.Connection):
            driver.set_trace_callback(lambda text: act(driver, text))
        elif isinstance(driver, psycopg.Connection):
            driver.cursor_factory = _hearing(driver.cursor_factory, driver, act)
            driver.query = _hearing_query(driver, act)  # type: ignore[attr-defined]
        else:
            driver.cursorclass = _hearing(driver.cursorclass, driver, act)

    sa.event.listen(engine, "connect", listen)


def _hearing(base: Any, driver: Any, act: Callable[[Any, str], None]) -> Any:
    class Hearing(base):  # type: ignore[misc]
        def execute(self, text: Any, *more: Any, **options: Any) -> Any:
            act(driver, str(text))
            return super().execute(text, *more, **options)

    return Hearing


def _hearing_query(driver: Any, act: Callable[[Any, str], None]) -> Callable[[str], Any]:
    send = driver.query

    def query(text: str) -> Any:
        act(driver, text)
        return send(text)

    return query


def hear(engine: sa.Engine) -> list[str]:
    """Return a list to which each text is added when it is sent."""
    texts: list[str] = []
    before_each_batch(engine, lambda _, text: texts.append(text))
    return texts


def statements(texts: list[str]) -> list[str]:
    """Return the statements in texts, BEGIN and COMMIT included, without the making of plans."""
    found = [statement.strip() for text in texts for statement in text.split(";")]
    settings = r"(PREPARE|DEALLOCATE|PRAGMA|SET) "
    return [
        "BEGIN" if statement.startswith(BEGINNINGS) else statement
        for statement in found
        if not re.match(settings, statement)
    ]
