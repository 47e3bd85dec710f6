"""A setting is declared once; what is wrong with a configuration is said all at once.

From the declaration come the reading, the message about a fault, and the documentation's table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches
from enum import Enum
from typing import Any, Final, TypeVar

PREFIX: Final = "OTP_MPP_"
E = TypeVar("E", bound=Enum)
_PATH: Final = re.compile(r"(/[A-Za-z0-9._~-]+)+")


class ConfigurationError(Exception):
    """List every fault of a configuration, each with its key, what was found, and the remedy."""

    def __init__(self, faults: Sequence[tuple[str, str]]) -> None:
        lines = "\n".join(f"  {key!r}: {finding}" for key, finding in faults)
        super().__init__(f"flask-otp-mpp can't start; {len(faults)} to mend:\n{lines}")
        self.faults = tuple(faults)


class Required(Enum):
    """Mark a setting that has no default."""

    REQUIRED = "required"


REQUIRED: Final = Required.REQUIRED


@dataclass(frozen=True, slots=True)
class Setting:
    """Declare one ``OTP_MPP_*`` key.

    :param name: the key without its prefix.
    :param read: turns the configured value into the one that is used; raises ValueError with what
        is wrong and what would do. Values of secret settings must not be in that message.
    :param kind: what the value looks like, for the documentation.
    :param meaning: one sentence for the documentation.
    :param default: the value if the key is not set, as one would configure it.
    """

    name: str
    read: Callable[[Any], Any]
    kind: str
    meaning: str
    default: Any = REQUIRED

    @property
    def key(self) -> str:
        return PREFIX + self.name


def read_settings(
    declared: Iterable[Setting], config: Mapping[str, Any], faults: list[tuple[str, str]]
) -> dict[str, Any]:
    """Read all settings, in order; what is wrong is added to the faults.

    :returns: values by the name of their setting; one at fault is missing.
    """
    settings = {setting.key: setting for setting in declared}
    names = {key.removeprefix(PREFIX): key for key in settings}
    for key in config:
        if key.startswith(PREFIX) and key not in settings:
            near = get_close_matches(key.removeprefix(PREFIX), names, 1)
            advice = f"did you mean {names[near[0]]!r}?" if near else "remove it"
            faults.append((key, f"is not a setting; {advice}"))
    values: dict[str, Any] = {}
    for key, setting in settings.items():
        raw = config.get(key, setting.default)
        if raw is REQUIRED:
            faults.append((key, f"is missing; set it to {setting.kind}. {setting.meaning}"))
            continue
        try:
            values[setting.name] = setting.read(raw)
        except ValueError as fault:
            faults.append((key, str(fault)))
    return values


def text(raw: object) -> str:
    """Read a text that is not empty.

    A whole number is one too: the environment's ``1022172`` arrives as an int.
    """
    if isinstance(raw, int) and not isinstance(raw, bool):
        return str(raw)
    if isinstance(raw, str) and raw.strip():
        return raw
    raise ValueError(f"found {_kind(raw)}; set it to a text that is not empty")


def optional_text(raw: object) -> str | None:
    """Read a text, or nothing."""
    return None if raw is None else text(raw)


def texts(raw: object) -> tuple[str, ...]:
    """Read one text or a list of them."""
    items = [raw] if isinstance(raw, str | int) else raw
    if isinstance(items, list | tuple) and items:
        return tuple(text(item) for item in items)
    raise ValueError(f"found {_kind(raw)}; set it to a text or a list of texts")


def whole(raw: object) -> int:
    """Read a whole number, 0 or more."""
    if isinstance(raw, str) and raw.isdecimal():
        raw = int(raw)
    if isinstance(raw, int) and not isinstance(raw, bool) and raw >= 0:
        return raw
    raise ValueError(f"found {_kind(raw)}; set it to a whole number")


def seconds(raw: object) -> timedelta:
    """Read a length of time in whole seconds, or as a timedelta."""
    if isinstance(raw, timedelta):
        return raw
    try:
        return timedelta(seconds=whole(raw))
    except OverflowError:
        raise ValueError("is longer than any time; set it to a whole number of seconds") from None


def path(raw: object) -> str:
    """Read a URL path that begins with a slash and does not end with one."""
    found = text(raw)
    if _PATH.fullmatch(found):
        return found
    raise ValueError(
        f"found {found!r}; write it like '/aps/api/v1/users': begin it with a slash, do not end it "
        "with one, and use letters, digits and -._~ between them"
    )


def one_of(choices: type[E]) -> Callable[[object], E]:
    """Read one of the values of an enum."""

    def read(raw: object) -> E:
        try:
            return choices(raw)
        except ValueError:
            allowed = " or ".join(repr(choice.value) for choice in choices)
            raise ValueError(f"found {_kind(raw)}; set it to {allowed}") from None

    return read


def mapping(raw: object) -> dict[str, Any]:
    """Read a mapping with text keys that is not empty."""
    if isinstance(raw, Mapping) and raw:
        return {str(key): value for key, value in raw.items()}
    raise ValueError(f"found {_kind(raw)}; set it to a mapping (JSON in an environment variable)")


def _kind(raw: object) -> str:
    """Describe a value without repeating it: it may be a secret in the wrong place."""
    if raw in ("", None):
        return "nothing"
    return f"a value of type {type(raw).__name__}"
