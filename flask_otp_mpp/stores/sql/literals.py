"""A value is written by digits alone, so that there is nothing in it to break out of."""

from __future__ import annotations

from typing import Any

from sqlalchemy.exc import DataError


def for_postgresql(value: Any) -> str:
    """Write a value as PostgreSQL reads it, whatever mode and encoding it is in.

    :raises DataError: for a text that it does not have.
    """
    if isinstance(value, str):
        if "\0" in value:  # it may not look at it in time
            raise DataError("", None, ValueError("a text holds a NUL"))
        return f"convert_from(decode('{value.encode().hex()}', 'hex'), 'UTF8')"
    plain = getattr(value, "obj", value)  # the driver's Binary is around bytes
    return f"decode('{plain.hex()}', 'hex')" if type(plain) is bytes else _number(plain)


def for_mysql(value: Any) -> str:
    """Write a value as MySQL and MariaDB read it, whatever mode and charset they are in."""
    if isinstance(value, str):
        return f"_utf8mb4 x'{value.encode().hex()}'"
    return f"x'{value.hex()}'" if type(value) is bytes else _number(value)


def _number(value: object) -> str:
    if value is None:
        return "NULL"
    if type(value) is int:
        return str(value)
    raise TypeError(f"no literal is known for {type(value).__name__}")
