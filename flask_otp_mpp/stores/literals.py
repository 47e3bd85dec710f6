"""A value is written by digits alone, so that there is nothing in it to break out of."""

from __future__ import annotations

from typing import Any

from sqlalchemy.exc import DataError


def for_postgresql(value: Any) -> str:
    """Write a value as PostgreSQL reads it, whatever mode and encoding it is in.

    :raises DataError: for a text that it does not have.
    """
    plain = getattr(value, "obj", value)  # the driver's Binary is around bytes
    if isinstance(plain, str) and "\0" in plain:  # it may not look at it in time
        raise DataError("", None, ValueError("a text holds a NUL"))
    return _literal(plain, "convert_from(decode('{}', 'hex'), 'UTF8')", "decode('{}', 'hex')")


def for_mysql(value: Any) -> str:
    """Write a value as MySQL and MariaDB read it, whatever mode and charset they are in."""
    return _literal(value, "_utf8mb4 x'{}'", "x'{}'")


def _literal(value: Any, text: str, binary: str) -> str:
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
