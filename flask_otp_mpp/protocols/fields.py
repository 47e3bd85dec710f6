"""Fields of messages as data: protocols read by them, and the OpenAPI document is made from them.

Each kind reads itself by the method of :class:`~flask_otp_mpp.protocols.json_fields.Fields` that
checks it, so a length or a value is written once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

from flask_otp_mpp.protocols.json_fields import Fields, Rule
from flask_otp_mpp.protocols.values import Operation

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Text:
    """A required text without control characters.

    :param longest: in characters; the shortest has one.
    :param meaning: a sentence for those who call.
    """

    name: str
    longest: int
    meaning: str

    def read(self, fields: Fields) -> str:
        return fields.text(self.name, self.longest)


@dataclass(frozen=True, slots=True)
class Matching:
    """A required text that matches a rule."""

    name: str
    rule: Rule
    meaning: str

    def read(self, fields: Fields) -> str:
        return fields.matching(self.name, self.rule)


@dataclass(frozen=True, slots=True)
class Choice(Generic[T]):
    """A text that is one of a few.

    :param choices: what each of them means.
    :param default: what is meant if the field is absent; None if it is required.
    """

    name: str
    choices: Mapping[str, T]
    meaning: str
    default: T | None = None

    def read(self, fields: Fields) -> T:
        return fields.choice(self.name, self.choices, self.default)


@dataclass(frozen=True, slots=True)
class Number:
    """A required whole number.

    :param only: the one value that is served; None for any.
    """

    name: str
    meaning: str
    only: int | None = None

    def read(self, fields: Fields) -> int:
        return fields.number(self.name)


@dataclass(frozen=True, slots=True)
class Union:
    """An optional object with one member, which is an object too; what is in it is not used."""

    name: str
    meaning: str

    def check(self, fields: Fields) -> None:
        fields.check_union(self.name)


Field: TypeAlias = Text | Matching | Choice[Any] | Number | Union
FieldTable: TypeAlias = Mapping[Operation, tuple[Field, ...]]
"""The fields of the requests of each operation, in the order in which they are read."""
