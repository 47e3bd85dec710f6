"""Readers of configured values: each turns what stands in a configuration into a typed value.

A fault says what was found and what to write instead. A text is never repeated, for it may be a
secret in the wrong place; numbers are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final, Generic, TypeVar

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)
_PATH: Final = re.compile(r"(/[A-Za-z0-9._~-]+)+")
_WHOLE: Final = re.compile(r"-?[0-9]+")


class Unreadable(ValueError):
    """List every fault of one value, such as those of several keys in one mapping.

    :param findings: each says what was found and what to write instead.
    :param rest: what could be read nevertheless, so that it is checked, too.
    """

    def __init__(self, findings: Sequence[str], rest: object) -> None:
        super().__init__("\n    ".join(findings))
        self.findings = tuple(findings)
        self.rest = rest


def _accept(_value: object) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Reader(Generic[T]):
    """Read one type of value.

    :param kind: what the value looks like, for the documentation and for errors: ``6 to 10``.
    :param parse: turns a configured value into the typed one; raises ValueError.
    :param check: returns what is wrong with a typed value, wherever it comes from; empty if
        nothing is.
    """

    kind: str
    parse: Callable[[Any], T]
    check: Callable[[T], str] = _accept

    def __call__(self, raw: object) -> T:
        """Return the typed value.

        :raises ValueError: with what was found and what to write instead.
        """
        value = self.parse(raw)
        if fault := self.check(value):
            raise ValueError(fault)
        return value


def describe(raw: object) -> str:
    """Describe a value by its type, without repeating it: it may be a secret."""
    if raw is None or raw == "":
        return "nothing"
    names: tuple[tuple[type | tuple[type, ...], str], ...] = (
        (str, "a text"),
        (bool, "a truth value"),
        ((int, float), "a number"),
        ((list, tuple), "a list"),
        (Mapping, "a mapping"),
    )
    found = (name for kind, name in names if isinstance(raw, kind))
    return next(found, f"a value of type {type(raw).__name__}")


def text(raw: object) -> str:
    """Read a text that is not empty.

    A whole number is one too: the environment's ``1022172`` arrives as an int.
    """
    if isinstance(raw, int) and not isinstance(raw, bool):
        return str(raw)
    if isinstance(raw, str) and raw.strip():
        return raw
    raise ValueError(f"found {describe(raw)}; set it to a text that is not empty")


def optional_text(raw: object) -> str | None:
    """Read a text, or None."""
    return None if raw is None else text(raw)


def texts(raw: object) -> tuple[str, ...]:
    """Read one text or a list of them."""
    items = [raw] if isinstance(raw, str | int) else raw
    if isinstance(items, list | tuple) and items:
        return tuple(text(item) for item in items)
    raise ValueError(f"found {describe(raw)}; set it to a text or a list of texts")


def path(raw: object) -> str:
    """Read a URL path that begins with a slash and does not end with one."""
    found = text(raw)
    if _PATH.fullmatch(found):
        return found
    raise ValueError(
        f"found {found!r}; write it like '/aps/api/v1/users': begin it with a slash, do not end it "
        "with one, and use letters, digits and -._~ between them"
    )


def optional_path(raw: object) -> str | None:
    """Read a URL path, or None."""
    return None if raw is None else path(raw)


def mapping(raw: object, form: str) -> dict[str, Any]:
    """Read a mapping with text keys that is not empty.

    :param form: what maps to what, for the error: ``{key version: public key}``.
    """
    if isinstance(raw, Mapping) and raw:
        return {str(key): value for key, value in raw.items()}
    found = "an empty mapping" if isinstance(raw, Mapping) else describe(raw)
    raise ValueError(f"found {found}; set it to a mapping {form} (JSON in the environment)")


def whole(low: int, high: int | None = None, *, unit: str = "", why: str = "") -> Reader[int]:
    """Return a reader of whole numbers within bounds, both included.

    :param unit: what is counted, such as ``bytes``.
    :param why: where the bounds come from, for the error.
    """
    bounds = _bounds(low, high, unit)

    def parse(raw: object) -> int:
        return _whole(raw, bounds)

    return Reader(bounds, parse, lambda value: _outside(value, low, high, bounds, why))


def seconds(low: int, high: int | None = None, *, why: str = "") -> Reader[timedelta]:
    """Return a reader of lengths of time: whole seconds or a timedelta, within bounds in seconds.

    :param why: where the bounds come from, for the error.
    """
    bounds = _bounds(low, high, "seconds")

    def parse(raw: object) -> timedelta:
        if isinstance(raw, timedelta):
            return raw
        try:
            return timedelta(seconds=_whole(raw, bounds))
        except OverflowError:
            raise ValueError(f"is longer than any time; set it to {bounds}") from None

    def check(value: timedelta) -> str:
        return _outside(value.total_seconds(), low, high, bounds, why)

    return Reader(bounds, parse, check)


def whole_seconds(low: int, high: int) -> Reader[int]:
    """Return a reader of times that are needed as a whole number of seconds, as drivers do."""
    bounds = _bounds(low, high, "whole seconds")

    def parse(raw: object) -> int:
        if not isinstance(raw, timedelta):
            return _whole(raw, bounds)
        if raw.microseconds:
            raise ValueError(f"{raw.total_seconds()} is not whole; set it to {bounds}")
        return int(raw.total_seconds())

    return Reader(bounds, parse, lambda value: _outside(value, low, high, bounds, ""))


def choice(values: Mapping[str, T]) -> Reader[T]:
    """Return a reader of one of several texts, each of which stands for a value."""
    *first, last = (repr(str(word)) for word in values)
    kind = f"{', '.join(first)} or {last}"

    def parse(raw: object) -> T:
        if isinstance(raw, str) and raw in values:
            return values[raw]
        raise ValueError(f"found {describe(raw)}; set it to {kind}")

    return Reader(kind, parse)


def one_of(members: type[E]) -> Reader[E]:
    """Return a reader of one of the members of an enum, by its value."""
    return choice({member.value: member for member in members})


def _flag(raw: object) -> bool:
    if isinstance(raw, bool):
        return raw
    if raw in ("true", "false"):
        return raw == "true"
    raise ValueError(f"found {describe(raw)}; set it to true or false")


def optional(reader: Reader[T]) -> Reader[T | None]:
    """Return a reader that takes None, too."""

    def parse(raw: object) -> T | None:
        return None if raw is None else reader(raw)

    return Reader(f"{reader.kind}, or None", parse)


TEXT: Final = Reader("a text", text)
OPTIONAL_TEXT: Final = Reader("a text, or None", optional_text)
PATH: Final = Reader("a URL path", path)
OPTIONAL_PATH: Final = Reader("a URL path, or None", optional_path)
FLAG: Final = Reader("true or false", _flag)


def _whole(raw: object, bounds: str) -> int:
    if isinstance(raw, str) and _WHOLE.fullmatch(raw):
        raw = int(raw)
    if isinstance(raw, int) and not isinstance(raw, bool):
        return raw
    found = str(raw) if isinstance(raw, float) else f"found {describe(raw)}"
    raise ValueError(
        f"{found}{' is not whole' if isinstance(raw, float) else ''}; "
        f"set it to a whole number, {bounds}"
    )


def _bounds(low: int, high: int | None, unit: str) -> str:
    space = f" {unit}" if unit else ""
    return f"{low}{space} or more" if high is None else f"{low} to {high}{space}"


def _outside(value: float, low: int, high: int | None, bounds: str, why: str) -> str:
    """Return what is wrong with a number that is out of its bounds."""
    if low <= value and (high is None or value <= high):
        return ""
    size = "negative" if value < 0 else "too small" if value < low else "too large"
    shown = int(value) if value == int(value) else value
    return f"{shown} is {size}; set it to {bounds}{f' ({why})' if why else ''}"
