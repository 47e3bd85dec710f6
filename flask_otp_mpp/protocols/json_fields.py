"""One reader of JSON objects, for the bodies of all protocols.

It is strict: UTF-8, no repeated keys, every field by its type and rule. ``null`` stands for an
absent field, and unknown fields are ignored. A refusal names the path of the field and the rule,
never a value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn, Self, TypeVar

from flask_otp_mpp.core.reasons import Reason, refuse

T = TypeVar("T")
SURROGATES: Final = r"\ud800-\udfff"
"""Halves of a pair in UTF-16, which are no characters, in a class of a regular expression."""
CONTROLS: Final = rf"\x00-\x1f\x7f-\x9f{SURROGATES}"
"""Control characters and lone surrogates, in a class of a regular expression."""
_CONTROL: Final = re.compile(f"[{CONTROLS}]")


@dataclass(frozen=True, slots=True)
class Rule:
    """Which characters a text must consist of, how many, and the same in words.

    :param characters: a class of a regular expression, in the syntax of Python and of ECMA-262,
        which JSON schemas use.
    :param longest: in characters; None for no limit but that of the body.
    """

    characters: str
    shortest: int
    longest: int | None
    words: str
    pattern: re.Pattern[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        longest = "" if self.longest is None else self.longest
        pattern = re.compile(f"{self.characters}{{{self.shortest},{longest}}}")
        object.__setattr__(self, "pattern", pattern)


def read_object(body: bytes) -> dict[str, Any]:
    """Read one JSON object in UTF-8, without repeated keys, NaN or Infinity.

    :raises ValueError: with the rule that the body breaks.
    """
    try:
        value = _DECODER.decode(body.decode("utf-8"))
    except (ValueError, RecursionError):
        raise ValueError("must be JSON in UTF-8, with no key repeated") from None
    if not isinstance(value, dict):
        raise ValueError("must be one JSON object")
    return value


class Fields:
    """The fields of one JSON object; each method reads one, or refuses it.

    :param path: the names that lead to the object, each with a dot behind it.
    :param tell_required: whether the detail of FIELD_MISSING says that the field is required;
        not needed where the message of the code says so.
    """

    def __init__(
        self, members: Mapping[str, Any], path: str = "", *, tell_required: bool = True
    ) -> None:
        self._members = members
        self._path = path
        self._tell_required = tell_required

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read one object.

        :raises Refused: BODY_UNREADABLE.
        """
        try:
            return cls(read_object(body))
        except ValueError as fault:
            refuse(Reason.BODY_UNREADABLE, f"The body {fault}.")

    def __contains__(self, name: str) -> bool:
        return self._members.get(name) is not None

    def inner(self, name: str) -> Fields:
        """Return a required object."""
        value = self._required(name)
        if not isinstance(value, dict):
            self._refuse(name, "must be an object")
        return Fields(value, f"{self._path}{name}.", tell_required=self._tell_required)

    def text(self, name: str, longest: int) -> str:
        """Return a required text of 1 to ``longest`` characters, none of them a control."""
        value = self.raw_text(name, longest)
        if not value.isprintable() and _CONTROL.search(value):  # controls never are; it is faster
            self._refuse(name, "must not hold control characters")
        return value

    def raw_text(self, name: str, longest: int) -> str:
        """Return a required text of 1 to ``longest`` characters of any kind."""
        value = self._required(name)
        if not isinstance(value, str) or not 0 < len(value) <= longest:
            self._refuse(name, f"must be a string of 1 to {longest} characters")
        return value

    def matching(self, name: str, rule: Rule) -> str:
        """Return a required text that matches a rule."""
        value = self._required(name)
        if not isinstance(value, str) or rule.pattern.fullmatch(value) is None:
            self._refuse(name, f"must be {rule.words}")
        return value

    def choice(self, name: str, choices: Mapping[str, T], default: T | None = None) -> T:
        """Return the meaning of a text that must be one of a few.

        :param default: the meaning if the field is absent; without one it is required.
        """
        if default is not None and name not in self:
            return default
        value = self.raw_text(name, 64)
        if value not in choices:
            self._refuse(name, f"must be one of {', '.join(choices)}")
        return choices[value]

    def number(self, name: str) -> int:
        """Return a required whole number."""
        value = self._required(name)
        if not isinstance(value, int) or isinstance(value, bool):
            self._refuse(name, "must be a whole number")
        return value

    def check_union(self, name: str) -> None:
        """Check that an optional field is an object with one member, which is an object too.

        As everywhere, members that are null are absent.
        """
        if name in self:
            members = self.inner(name)._members.values()  # noqa: SLF001
            if [type(value) for value in members if value is not None] != [dict]:
                self._refuse(name, "must be an object with one member, an object")

    def _required(self, name: str) -> Any:
        value = self._members.get(name)
        if value is None:
            rule = ": is required." if self._tell_required else ""
            refuse(Reason.FIELD_MISSING, f"{self._path}{name}{rule}")
        return value

    def _refuse(self, name: str, rule: str) -> NoReturn:
        refuse(Reason.FIELD_INVALID, f"{self._path}{name}: {rule}.")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a key is repeated")
    return members


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)
