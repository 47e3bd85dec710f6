"""An answer of the endpoint, opened, and what it says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flask_otp_mpp.conformance.google.dialect import ERRORS, RESULTS, STATUSES, UNPROVEN, Means
from flask_otp_mpp.conformance.play import Exchange
from flask_otp_mpp.conformance.wire import Response


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the endpoint.

    What a wallet says in clear text is read, too: that it is not sealed is told by a case of its
    own.

    :ivar exchange: its ``expected`` is the payload, empty if the body did not open.
    """

    exchange: Exchange = field(repr=False)

    @property
    def response(self) -> Response:
        """The HTTP response."""
        return self.exchange.response

    @property
    def json(self) -> Mapping[str, Any]:
        """The payload; empty if it is no JSON object."""
        return read_object(self.exchange.expected or self.response.body)

    @property
    def code(self) -> str:
        """The ``result``, or else the ``errorResponseCode``; empty if there is neither."""
        return self.exchange.code

    @property
    def business(self) -> Mapping[str, Any]:
        """All members of the payload but its time."""
        return {name: value for name, value in self.json.items() if name != "responseHeader"}

    @property
    def stamp(self) -> str:
        """The ``responseTimestamp``; empty if there is none."""
        return stamp_of(self.json)


def says(answer: Answer, means: Means) -> bool:
    """Tell whether an answer says that."""
    status, code = answer.response.status, answer.code
    if means is Means.SUCCESS and status == 200 and "clientMessage" in answer.json:
        return True
    if means in RESULTS:
        return (status, code) == (200, RESULTS[means])
    if means in STATUSES:
        return status == STATUSES[means]
    bare = means in UNPROVEN and not code and status == ERRORS[means][0]
    return bare or (status, code) == ERRORS[means]


def in_words(means: Means) -> str:
    """Return what answers so: result, or HTTP status and code."""
    if means in RESULTS:
        return RESULTS[means]
    if means in STATUSES:
        return f"HTTP {STATUSES[means]}"
    status, code = ERRORS[means]
    return f"HTTP {status} {code}" + (" or no body" if means in UNPROVEN else "")


def payload_of(message: Mapping[str, Any] | bytes) -> bytes:
    """Return a message as it is before it is sealed."""
    return message if isinstance(message, bytes) else json.dumps(message).encode()


def read_object(payload: bytes) -> dict[str, Any]:
    """Return a JSON object; an empty one if it is none."""
    try:
        value = json.loads(payload)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def stamp_of(payload: Mapping[str, Any]) -> str:
    """Return the ``responseTimestamp`` of a payload; empty if there is none."""
    header = payload.get("responseHeader")
    value = header.get("responseTimestamp") if isinstance(header, dict) else None
    return value if isinstance(value, str) else ""


def told(answer: Answer) -> str:
    """Return in words what an answer says."""
    status, body = answer.response.status, answer.response.body
    said = answer.code or ("a body without a code" if body else "no body")
    if "clientMessage" in answer.json:
        said = "a clientMessage"
    elif not answer.exchange.verified and not answer.code:
        said = "a body that does not open, or is not signed,"
    description = answer.json.get("errorDescription")
    return f"HTTP {status} {said} was answered" + (f" ({description})" if description else "")
