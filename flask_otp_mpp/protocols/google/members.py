"""A nested JSON object is read member by member, each by type and rule, or refused by name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from flask_otp_mpp.core.reasons import Reason, refuse
from flask_otp_mpp.protocols.google.results import MISSING, Fault


@dataclass(frozen=True, slots=True)
class Rule:
    """Say what a text must match, and say it in words."""

    pattern: re.Pattern[str]
    words: str


class Members:
    """Give the members of one JSON object.

    ``null`` stands for an absent member, as in proto3. Unknown members are ignored. A refusal names
    the member and its rule, never what was in it.

    :param place: the path of names that leads to the object, each with a dot behind it.
    """

    def __init__(self, members: Mapping[str, Any], place: str = "") -> None:
        self._members = members
        self._place = place

    def __contains__(self, name: str) -> bool:
        return self._members.get(name) is not None

    def inner(self, name: str) -> Members:
        """Return a required object."""
        value = self._required(name)
        if not isinstance(value, dict):
            self._refuse(name, "must be an object")
        return Members(value, f"{self._place}{name}.")

    def text(self, name: str, rule: Rule) -> str:
        """Return a required text that follows a rule."""
        value = self._required(name)
        if not isinstance(value, str) or rule.pattern.fullmatch(value) is None:
            self._refuse(name, f"must be {rule.words}")
        return value

    def number(self, name: str) -> int:
        """Return a required whole number."""
        value = self._required(name)
        if not isinstance(value, int) or isinstance(value, bool):
            self._refuse(name, "must be a whole number")
        return value

    def union(self, name: str) -> None:
        """See that an optional member is an object with one member, and that an object too."""
        if name in self:
            inner = self.inner(name)._members  # noqa: SLF001 - one of ours
            if [type(value) for value in inner.values()] != [dict]:
                self._refuse(name, "must be an object with one member, an object")

    def _required(self, name: str) -> Any:
        value = self._members.get(name)
        if value is None:
            raise Fault(MISSING, f"{self._place}{name}")
        return value

    def _refuse(self, name: str, rule: str) -> NoReturn:
        refuse(Reason.FIELD_INVALID, f"{self._place}{name}: {rule}.")
