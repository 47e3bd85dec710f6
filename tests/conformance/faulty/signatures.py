"""Faults of signatures: what is accepted and is no signature of the request.

A layer lets a wrong request in by signing it: to the wallet behind it, it is right.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Final, TypeAlias

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from flask_otp_mpp.conformance.wire import Request, Response
from flask_otp_mpp.signing.keys import one_line
from tests.conformance.endpoints import KEYS
from tests.conformance.faulty.fault import FaultList
from tests.conformance.faulty.layer import Layer, Next
from tests.conformance.faulty.signing import (
    CLIENT_KEYS,
    holds,
    signature_of,
    signed,
    text_of,
)
from tests.wallet import key

FAULTS: Final = FaultList()
Rule: TypeAlias = Callable[[Request], bool]
_PSS: Final = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.AUTO)


def _lets_in(rule: Rule) -> Layer:
    """Return a layer that takes wrong signatures for right for which a rule holds."""

    def layer(request: Request, answer: Next) -> Response:
        wrong = not holds(request)
        return answer(signed(request) if wrong and rule(request) else request)

    return layer


def _anew(request: Request, *, spaced: bool = False) -> bytes:
    """Return the body as a program writes it that has read it."""
    try:
        value = json.loads(request.body.decode())
        separators = (", ", ": ") if spaced else (",", ":")
        return json.dumps(value, separators=separators, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return request.body


def _is_hmac(request: Request) -> bool:
    name = CLIENT_KEYS.get(request.header("client-id"), KEYS[0])
    public = one_line(key(name).public_key()).encode()
    made = hmac.digest(public, text_of(request), hashlib.sha256)
    return hmac.compare_digest(made, signature_of(request)[2])


FAULTS.add(
    "signature-not-checked",
    "Any signature is accepted.",
    "body.bad-signature-empty",
    "body.bad-signature-first",
    "floods.bad-signatures",
    "floods.right-request-after",
    "headers.empty-signature",
    "headers.no-signature",
    "headers.send-unsigned",
    "headers.signature-repeated",
    "keys.client-replaced",
    "keys.first-under-second",
    "keys.fresh-key",
    "keys.second-under-first",
    "keys.unknown-version-fresh-key",
    "signature.bit-flipped",
    "signature.body-alone",
    "signature.body-changed",
    "signature.crlf",
    "signature.header-testing-signature",
    "signature.hmac-by-public-key",
    "signature.last-segment",
    "signature.letter-changed",
    "signature.long-value",
    "signature.method-in-lower-case",
    "signature.newline-added",
    "signature.no-base64",
    "signature.none-unsigned",
    "signature.of-another-request",
    "signature.other-method",
    "signature.other-path",
    "signature.part-repeated",
    "signature.pss",
    "signature.query-added",
    "signature.reserialised",
    "signature.send-changed",
    "signature.sha1",
    "signature.sha384",
    "signature.sha512",
    "signature.space-added",
    "signature.spaced-body",
    "signature.testing-signature",
    "signature.time-changed",
    "signature.trailing-newline",
    "signature.truncated",
    "signature.value-empty",
    "signature.value-missing",
    "signature.with-host",
    "signature.without-body",
    "signature.without-client",
    "signature.without-method",
    "signature.without-time",
    "signature.zero-before",
    "signature.zero-behind",
)(_lets_in(lambda _: True))
FAULTS.add(
    "no-signature",
    "A request without a signature is accepted.",
    "headers.empty-signature",
    "headers.no-signature",
    "headers.send-unsigned",
)(_lets_in(lambda request: not request.header("signature")))
FAULTS.add(
    "testing-signature",
    "The signature testing_signature is accepted.",
    "signature.header-testing-signature",
    "signature.testing-signature",
)(_lets_in(lambda request: "testing_signature" in request.header("signature")))
FAULTS.add(
    "hmac", "A digest that is keyed by the public key is accepted.", "signature.hmac-by-public-key"
)(_lets_in(_is_hmac))
FAULTS.add("sha1", "A signature over SHA-1 is accepted.", "signature.sha1")(
    _lets_in(lambda request: holds(request, algorithm=hashes.SHA1()))
)
FAULTS.add("sha512", "A signature over SHA-512 is accepted.", "signature.sha512")(
    _lets_in(lambda request: holds(request, algorithm=hashes.SHA512()))
)
FAULTS.add("pss", "A signature with the padding PSS is accepted.", "signature.pss")(
    _lets_in(lambda request: holds(request, pad=_PSS))
)
FAULTS.add(
    "key-of-any-client",
    "A signature by another client's key is accepted.",
    "keys.first-under-second",
    "keys.second-under-first",
)(_lets_in(lambda request: any(holds(request, by=name) for name in KEYS)))
FAULTS.add(
    "method-not-covered", "A signature need not cover the method.", "signature.without-method"
)(_lets_in(lambda request: holds(request, text_of(request).removeprefix(b"POST "))))
FAULTS.add(
    "query-not-covered", "A signature need not cover the query string.", "signature.query-added"
)(_lets_in(lambda request: holds(request, text_of(request, uri=request.uri.partition("?")[0]))))
FAULTS.add(
    "last-segment-covered",
    "A signature may cover the last segment of the path only.",
    "signature.last-segment",
)(_lets_in(lambda request: holds(request, text_of(request, uri=request.uri.rpartition("/")[2]))))
FAULTS.add("body-not-covered", "A signature need not cover the body.", "signature.without-body")(
    _lets_in(lambda request: holds(request, text_of(request, body=b"")))
)
FAULTS.add(
    "line-feed-covered", "A signature may cover a final line feed.", "signature.trailing-newline"
)(_lets_in(lambda request: holds(request, text_of(request) + b"\n")))
FAULTS.add(
    "spaced-body-covered",
    "A signature may cover the body as Python writes it.",
    "signature.spaced-body",
)(_lets_in(lambda request: holds(request, text_of(request, body=_anew(request, spaced=True)))))


@FAULTS.add(
    "algorithm-none",
    "The algorithm none needs no signature.",
    "signature.none",
    "signature.none-unsigned",
)
def algorithm_none(request: Request, answer: Next) -> Response:
    named_none = signature_of(request)[0] == "none"
    return answer(signed(request) if named_none else request)


@FAULTS.add(
    "algorithm-not-read",
    "The header may name any algorithm.",
    "signature.hs256",
    "signature.none",
    "signature.ps256",
    "signature.rsa1",
    "signature.rsa512",
)
def algorithm_not_read(request: Request, answer: Next) -> Response:
    algorithm, _, _ = signature_of(request)
    named = request.header("signature").replace(f"algorithm={algorithm}", "algorithm=RSA256", 1)
    return answer(request.with_header("signature", named) if algorithm else request)


@FAULTS.add(
    "body-written-anew",
    "Signatures are verified over the body as JSON is written anew.",
    "body.duplicate",
    "body.duplicate-behind",
    "body.duplicate-escaped",
    "body.escaped-names",
    "body.escaped-slash",
    "body.huge-number",
    "body.line-feed-behind",
    "body.surrogate-pair",
    "body.white-space",
    "headers.sdk-php",
    "headers.sdk-python",
    "signature.indented",
    "signature.newline-added",
    "signature.reserialised",
    "signature.space-added",
)
def body_written_anew(request: Request, answer: Next) -> Response:
    if holds(request) == holds(request, text_of(request, body=_anew(request))):
        return answer(request)
    if holds(request):
        return answer(request.with_header("signature", "wrong"))
    return answer(signed(request))
