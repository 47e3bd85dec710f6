"""A JSON object is read with suspicion: what is not exactly as agreed is refused by name."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final, NoReturn, Self, TypeVar

from flask_otp_mpp.core.reasons import Reason, refuse

T = TypeVar("T")
_UNFIT: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def read_object(body: bytes) -> dict[str, Any]:
    """Read one JSON object in UTF-8, without repeated keys, NaN or Infinity, however hostile.

    :raises ValueError: with the rule that it breaks.
    """
    try:
        value = _DECODER.decode(body.decode("utf-8"))
    except (ValueError, RecursionError):
        raise ValueError("must be JSON in UTF-8, with no key repeated") from None
    if not isinstance(value, dict):
        raise ValueError("must be one JSON object")
    return value


class Fields:
    """Give the fields of one JSON object, every one of them a string.

    ``null`` stands for an absent field. Unknown fields are ignored. A refusal names the field and
    its rule, never what was in it.
    """

    def __init__(self, members: dict[str, Any]) -> None:
        self._members = members

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read one object in UTF-8, without repeated keys, NaN or Infinity.

        :raises Refused: FIELD_INVALID.
        """
        try:
            return cls(read_object(body))
        except ValueError as fault:
            refuse(Reason.FIELD_INVALID, f"The body {fault}.")

    def text(self, name: str, longest: int) -> str:
        """Return a required field of 1 to ``longest`` characters, none of them a control."""
        value = self._string(name, longest)
        if value is None:
            _illegal(name, "is required")
        if _UNFIT.search(value):
            _illegal(name, "must not hold control characters")
        return value

    def raw_text(self, name: str, longest: int) -> str:
        """Return a required field whatever its characters: to judge them is somebody else's."""
        value = self._string(name, longest)
        if value is None:
            _illegal(name, "is required")
        return value

    def choice(self, name: str, choices: Mapping[str, T], default: T | None = None) -> T:
        """Return what a field means that must be one of a few words.

        :param default: what it means if it is absent; without one it is required.
        """
        value = self._string(name, 64)
        if value is None and default is not None:
            return default
        if value is None:
            _illegal(name, "is required")
        if value not in choices:
            _illegal(name, f"must be one of {', '.join(choices)}")
        return choices[value]

    def _string(self, name: str, longest: int) -> str | None:
        value = self._members.get(name)
        if value is None:
            return None
        if not isinstance(value, str) or not 0 < len(value) <= longest:
            _illegal(name, f"must be a string of 1 to {longest} characters")
        return value


def _illegal(name: str, rule: str) -> NoReturn:
    refuse(Reason.FIELD_INVALID, f"{name}: {rule}.")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a key is repeated")
    return members


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)
