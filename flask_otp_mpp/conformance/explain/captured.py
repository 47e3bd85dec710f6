"""A captured exchange with signed headers: a request, its answer, and which of them to explain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from flask_otp_mpp.conformance.explain.string_to_sign import StringToSign


class Unreadable(ValueError):
    """Raised for a capture that can't be read; the message says what is missing, never a value."""


class Direction(StrEnum):
    """Say which of the two messages of an exchange is meant."""

    REQUEST = "request"
    ANSWER = "answer"


TIME_HEADERS: Final = {
    Direction.REQUEST: "request-time",
    Direction.ANSWER: "response-time",
}


@dataclass(frozen=True, slots=True)
class Sent:
    """One message of an exchange.

    :param headers: by lower-case name; repeated ones joined with commas.
    :param body: the bytes; None if the capture does not hold them.
    """

    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)

    def header(self, name: str) -> str:
        """Return a header, or an empty text."""
        return self.headers.get(name, "")


@dataclass(frozen=True, slots=True)
class Captured:
    """A captured exchange, and which of its messages is to be explained.

    Texts hold one character for each byte, as WSGI has them.

    :param uri: path and query of the request.
    :param origin: scheme and host of the request, such as ``https://wallet.example``; the scheme,
        or both, may be missing.
    :param notes: what a reader must know of the capture, such as that bytes are missing.
    """

    method: str
    uri: str
    request: Sent | None
    answer: Sent | None
    origin: str = ""
    direction: Direction = Direction.REQUEST
    notes: tuple[str, ...] = ()

    @property
    def sent(self) -> Sent:
        """The message to explain."""
        found = self.request if self.direction is Direction.REQUEST else self.answer
        if found is None:
            raise Unreadable(f"the capture holds no {self.direction}")
        return found

    @property
    def other(self) -> Sent | None:
        """The other message of the exchange."""
        return self.answer if self.direction is Direction.REQUEST else self.request

    @property
    def client(self) -> str:
        """The client id that the message names."""
        return self.sent.header("client-id")

    @property
    def time(self) -> str:
        """The time that the message names."""
        return self.sent.header(TIME_HEADERS[self.direction])

    @property
    def signature(self) -> str:
        """The ``Signature`` header of the message."""
        return self.sent.header("signature")

    def string_to_sign(self) -> StringToSign:
        """Return what the signature must cover.

        :raises Unreadable: if the capture does not say it.
        """
        if not self.uri:
            raise Unreadable(
                "the capture does not say the URI of the request, which an answer signs too; "
                "give --uri"
            )
        body = self.sent.body
        if body is None:
            raise Unreadable(
                f"the capture does not hold the body of the {self.direction}; give --body @FILE"
            )
        return StringToSign(self.method, self.uri, self.client, self.time, body)
