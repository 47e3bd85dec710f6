"""Faults of the headers that carry a signature: their forms, keys and clients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from flask_otp_mpp.conformance.wire import Request, Response
from tests.conformance.faulty.fault import FaultList
from tests.conformance.faulty.layer import Layer, Next
from tests.conformance.faulty.signing import (
    CLIENT_KEYS,
    sealed_for,
    signature_of,
    signed,
)
from tests.wallet import CLIENT

FAULTS: Final = FaultList()
Rule: TypeAlias = Callable[[Request], bool]


def _shuts_out(rule: Rule) -> Layer:
    """Return a layer that takes the signature of requests for wrong for which a rule holds."""

    def layer(request: Request, answer: Next) -> Response:
        return answer(request.with_header("signature", "wrong") if rule(request) else request)

    return layer


FAULTS.add(
    "plus-to-space",
    "A + in a signature that is not url-encoded becomes a space.",
    "signature.bare-base64",
)(_shuts_out(lambda request: "+" in request.header("signature")))
FAULTS.add(
    "upper-case-hex-only",
    "Percent-escapes in lower case are not understood.",
    "signature.lower-case-hex",
)(_shuts_out(lambda request: "%3d" in request.header("signature")))
FAULTS.add(
    "spaces-refused", "A Signature header with spaces is not understood.", "signature.spaces"
)(_shuts_out(lambda request: ", " in request.header("signature")))
FAULTS.add(
    "algorithm-in-capitals-only",
    "The algorithm rsa256 is not understood.",
    "signature.algorithm-in-lower-case",
)(_shuts_out(lambda request: "rsa256" in request.header("signature")))
FAULTS.add(
    "parts-by-place",
    "The parts of the Signature header are known by their place.",
    "keys.no-version",
    "signature.further-part",
    "signature.order",
)(
    _shuts_out(
        lambda request: (
            [
                part.partition("=")[0].strip().lower()
                for part in request.header("signature").split(",")
            ]
            != ["algorithm", "keyversion", "signature"]
        )
    )
)


@FAULTS.add(
    "key-version-ignored",
    "A key version that is not known stands for the newest key.",
    "answers.seen-key-not-found",
    "keys.unknown-version",
    "keys.unknown-version-fresh-key",
    "keys.version-long",
    "keys.version-path",
    "keys.version-prototype",
    "keys.version-quoted",
    "keys.version-zero-before",
)
def key_version_ignored(request: Request, answer: Next) -> Response:
    _, version, _ = signature_of(request)
    known = request.header("signature").replace(f"keyVersion={version}", "keyVersion=1")
    return answer(request.with_header("signature", known))


@FAULTS.add(
    "client-by-default",
    "A request without a Client-Id is the usual client's.",
    "headers.empty-client",
    "headers.no-client",
    "headers.no-client-signed",
    "headers.none",
)
def client_by_default(request: Request, answer: Next) -> Response:
    if request.header("client-id"):
        return answer(request)
    usual = request.with_header("client-id", CLIENT)
    return sealed_for(request, answer(signed(usual)))


@FAULTS.add("client-in-any-case", "The case of a Client-Id does not matter.", "keys.client-case")
def client_in_any_case(request: Request, answer: Next) -> Response:
    client = request.header("client-id").upper()
    if client not in CLIENT_KEYS or client == request.header("client-id"):
        return answer(request)
    return sealed_for(request, answer(signed(request.with_header("client-id", client))))


def _last(name: str) -> Layer:
    """Return a layer that takes the last value of a repeated header."""

    def layer(request: Request, answer: Next) -> Response:
        before, _, last = request.header(name).rpartition(",")
        if not before:
            return answer(request)
        response = answer(signed(request.with_header(name, last.strip())))
        return sealed_for(request, response)

    return layer


FAULTS.add(
    "last-client-id",
    "Of a repeated Client-Id the last one counts.",
    "headers.client-repeated-first",
)(_last("client-id"))
FAULTS.add(
    "last-request-time",
    "Of a repeated Request-Time the last one counts.",
    "headers.time-repeated",
    "headers.time-repeated-first",
)(_last("request-time"))


@FAULTS.add(
    "last-signature",
    "Of a repeated Signature header the last one counts.",
    "headers.signature-repeated-first",
)
def last_signature(request: Request, answer: Next) -> Response:
    _, *others = request.header("signature").split("algorithm=")
    if len(others) < 2:
        return answer(request)
    return answer(request.with_header("signature", f"algorithm={others[-1]}"))
