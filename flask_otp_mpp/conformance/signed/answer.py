"""An answer of Alipay+ or AMS as cases read it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flask_otp_mpp.conformance.play import Exchange
from flask_otp_mpp.conformance.wire import Response


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the endpoint.

    :param verified: whether its signature holds.
    """

    exchange: Exchange = field(repr=False)
    verified: bool

    @property
    def response(self) -> Response:
        """The HTTP response."""
        return self.exchange.response

    @property
    def json(self) -> Mapping[str, Any]:
        """The body; empty if it is no JSON object."""
        return read_object(self.response.body)

    @property
    def code(self) -> str:
        """The ``resultCode``; empty if there is none."""
        return self.exchange.code

    def result(self, name: str) -> str:
        """Return a member of ``result``; empty if there is none."""
        return result_of(self.response.body, name)


@dataclass(frozen=True, slots=True)
class Sent:
    """A challenge whose code was sent, and the code."""

    challenge: str
    code: str = field(repr=False)


def told(answer: Answer) -> str:
    """Return what was answered, in words."""
    if not answer.code:
        return f"HTTP {answer.response.status} without a resultCode was answered"
    message = answer.result("resultMessage")
    return f"{answer.code} was answered" + (f" ({message})" if message else "")


def read_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object of a body; an empty one if it is none."""
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def result_of(body: bytes, name: str) -> str:
    """Return a member of the ``result`` in a body; empty if there is none."""
    result = read_object(body).get("result")
    value = result.get(name, "") if isinstance(result, dict) else ""
    return value if isinstance(value, str) else ""
