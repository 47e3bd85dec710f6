"""What a mistake is: its texts, and for a mistake in the string, what it makes of the right one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from flask_otp_mpp.conformance.explain.captured import Captured
from flask_otp_mpp.conformance.explain.string_to_sign import Layout, Part, StringToSign

PREFIXES: Final = ("/aps/api/v1/users", "/ams/api/v1/users", "/ams/sandbox/api/v1/users")
PATHS: Final = (
    ("/sendOTP", "/verifyOTP"),
    ("/initAuthentication", "/verifyAuthentication"),
)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known beside a message and the keys of its sender.

    :param prefixes: other prefixes under which the APIs may stand.
    :param paths: below a prefix: of each protocol the path that sends and the one that verifies.
    :param clients: ids of other clients.
    :param other_side: the keys of the party that receives the message, by version.
    :param other_clients: keys of other clients, by what the reader knows them by.
    """

    prefixes: tuple[str, ...] = PREFIXES
    paths: tuple[tuple[str, str], ...] = PATHS
    clients: tuple[str, ...] = ()
    other_side: Mapping[str, RSAPublicKey] = field(default_factory=dict)
    other_clients: Mapping[str, RSAPublicKey] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that goes wrong in integrations.

    :param id: names it in JSON and in the table.
    :param title: what is wrong, in half a sentence.
    :param signed: what was signed, sent or given in place of the right thing.
    :param remedy: what to do, in one sentence.
    """

    id: str
    title: str
    signed: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Context:
    """What the mistakes in a string can draw on."""

    message: Captured
    known: Known


Variants: TypeAlias = Callable[[StringToSign, Context], Iterable[StringToSign]]


@dataclass(frozen=True, slots=True)
class StringMistake(Mistake):
    """A mistake in the string that is signed.

    :param part: the one that it changes.
    :param variants: returns the strings that it may have made of the right one.
    :param alone: whether it is not tried together with others, because it has very many variants.
    :param step: in which order several mistakes are made in one body: it is written again (1), its
        characters are escaped (2), its bytes are changed (3); 0 for those that are made alone.
    """

    part: Part
    variants: Variants
    alone: bool = False
    step: int = 0


def texts(part: Part, make: Callable[[str, Context], Iterable[str]]) -> Variants:
    """Return the variants of a part that is a text, from the other texts that it may have been."""

    def variants(right: StringToSign, context: Context) -> Iterable[StringToSign]:
        for text in make(getattr(right, part), context):
            if all(letter <= "\xff" for letter in text):  # no header holds another one
                yield _changed(right, part, text)

    return variants


def _changed(right: StringToSign, part: Part, text: str) -> StringToSign:
    if part is Part.METHOD:
        return replace(right, method=text)
    if part is Part.URI:
        return replace(right, uri=text)
    return replace(right, client=text) if part is Part.CLIENT else replace(right, time=text)


def bodies(make: Callable[[bytes], Iterable[bytes]]) -> Variants:
    """Return the variants of a body, from what it may have been."""

    def variants(right: StringToSign, _context: Context) -> Iterable[StringToSign]:
        for body in make(right.body):
            yield replace(right, body=body)

    return variants


def layouts(make: Callable[[Layout], Iterable[Layout]]) -> Variants:
    """Return the variants of a layout."""

    def variants(right: StringToSign, _context: Context) -> Iterable[StringToSign]:
        for layout in make(right.layout):
            yield replace(right, layout=layout)

    return variants


def joined(right: StringToSign, other: StringToSign, part: Part) -> StringToSign:
    """Return the first string with one part of the other one."""
    if part is Part.BODY:
        return replace(right, body=other.body)
    if part is Part.LAYOUT:
        return replace(right, layout=other.layout)
    if part is Part.AFTER:
        return replace(right, after=other.after)
    return _changed(right, part, getattr(other, part))
