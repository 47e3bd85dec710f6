"""What the signature of an answer covers, where that is not what it must cover."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from flask_otp_mpp.conformance.explain.captured import Captured, Direction, Sent
from flask_otp_mpp.conformance.explain.explain import explain
from flask_otp_mpp.conformance.play import Exchange

_NO_KEY: Final = "None of the wallet's keys that are configured has made it."


@dataclass(frozen=True, slots=True)
class Covered:
    """Why the signature of an answer does not hold.

    :param text: what it covers; empty if that is not known.
    :param mistakes: what is wrong, each with its remedy.
    """

    text: bytes = field(default=b"", repr=False)
    mistakes: tuple[str, ...] = ()


def covered(exchange: Exchange, keys: Mapping[str, RSAPublicKey]) -> Covered:
    """Look for the mistakes by which an answer's signature would hold."""
    request, response = exchange.request, exchange.response
    found = explain(
        Captured(
            request.method,
            request.uri,
            Sent(_joined(request.headers), request.body),
            Sent(_joined(response.headers), response.body),
            direction=Direction.ANSWER,
        ),
        keys,
    )
    if not found.found:
        why = _NO_KEY if found.key is None else f"It covers none of {found.strings} likely texts."
        return Covered(mistakes=(why,))
    return Covered(
        b"" if found.signed is None else found.signed.data,
        tuple(f"{one.title}. {one.remedy}" for one in found.found),
    )


def _joined(headers: tuple[tuple[str, str], ...]) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in headers:
        lower = name.lower()
        joined[lower] = f"{joined[lower]},{value}" if lower in joined else value
    return joined
