"""A JSON object is read with suspicion: what is not exactly as agreed is refused by name."""

from __future__ import annotations

import json
import re
from enum import StrEnum
from typing import Any, Final, NoReturn, Self, TypeVar

from flask_otp_mpp.core.reasons import Reason, refuse

E = TypeVar("E", bound=StrEnum)
_UNFIT: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


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
            value = json.loads(
                body.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant
            )
        except (ValueError, RecursionError):
            refuse(Reason.FIELD_INVALID, "The body must be JSON in UTF-8, with no key repeated.")
        if not isinstance(value, dict):
            refuse(Reason.FIELD_INVALID, "The body must be one JSON object.")
        return cls(value)

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

    def choice(self, name: str, default: E) -> E:
        """Return an optional field that must be one of an enum's values."""
        value = self._string(name, 64)
        if value is None:
            return default
        try:
            return type(default)(value)
        except ValueError:
            _illegal(name, f"must be one of {', '.join(type(default))}")

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
