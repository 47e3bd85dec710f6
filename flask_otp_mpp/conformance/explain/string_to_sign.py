"""A string to sign in its parts, so that each of them can be replaced and shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, TypeAlias

from flask_otp_mpp.conformance.explain.masking import mask_body, mask_uri


class Part(StrEnum):
    """Name a part of a string to sign; the value is the field of :class:`StringToSign`."""

    METHOD = "method"
    URI = "uri"
    CLIENT = "client"
    TIME = "time"
    BODY = "body"
    LAYOUT = "layout"
    AFTER = "after"


Layout: TypeAlias = tuple[Part | str, ...]
"""The order of the parts, and the literal texts between them."""

LAYOUT: Final[Layout] = (
    *(Part.METHOD, " ", Part.URI, "\n"),
    *(Part.CLIENT, ".", Part.TIME, ".", Part.BODY),
)


@dataclass(frozen=True, slots=True)
class After:
    """Say what was done to a string before it was signed.

    :param name: how a reader calls it, such as "hashed by SHA-256".
    """

    name: str
    change: Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class StringToSign:
    """A string to sign: its parts, their layout, and what was done to the whole.

    :param after: in this order.
    """

    method: str
    uri: str
    client: str
    time: str
    body: bytes = field(repr=False)
    layout: Layout = LAYOUT
    after: tuple[After, ...] = ()

    @property
    def data(self) -> bytes:
        """The bytes that are signed."""
        return assemble(self.pieces())

    def pieces(self) -> dict[Part, Any]:
        """Return each part in bytes, so that many strings can be assembled of them."""
        return {
            Part.METHOD: self.method.encode("latin-1"),
            Part.URI: self.uri.encode("latin-1"),
            Part.CLIENT: self.client.encode("latin-1"),
            Part.TIME: self.time.encode("latin-1"),
            Part.BODY: self.body,
            Part.LAYOUT: tuple(
                piece if isinstance(piece, Part) else piece.encode() for piece in self.layout
            ),
            Part.AFTER: self.after,
        }

    def show(self, *, secrets: bool) -> str:
        """Return the text, without what was done to it afterwards.

        :param secrets: whether values such as tokens and codes are shown; else each of their
            characters is an asterisk.
        """
        values = {
            Part.METHOD: self.method,
            Part.URI: self.uri if secrets else mask_uri(self.uri),
            Part.CLIENT: self.client,
            Part.TIME: self.time,
        }
        pieces = []
        for piece in self.layout:
            if piece is Part.BODY:
                pieces.append(_decoded(self.body) if secrets else mask_body(self.body))
            elif isinstance(piece, Part):
                pieces.append(_decoded(values[piece].encode("latin-1")))
            else:
                pieces.append(piece)
        return "".join(pieces)


def assemble(pieces: Mapping[Part, Any]) -> bytes:
    """Return the bytes that are signed, of the pieces of a :class:`StringToSign`."""
    data = b"".join(
        [pieces[piece] if piece.__class__ is Part else piece for piece in pieces[Part.LAYOUT]]
    )
    for after in pieces[Part.AFTER]:
        data = after.change(data)
    return data


def first_difference(one: Sequence[object], other: Sequence[object]) -> int | None:
    """Return the index of the first item that differs; None if both are the same."""
    for index, (mine, theirs) in enumerate(zip(one, other, strict=False)):
        if mine != theirs:
            return index
    return None if len(one) == len(other) else min(len(one), len(other))


def _decoded(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")
