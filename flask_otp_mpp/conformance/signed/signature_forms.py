"""Cases of the forms that a right signature can have in its header."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Final
from urllib.parse import unquote

from flask_otp_mpp.conformance.case import SIGNED, Group, Severity, Source
from flask_otp_mpp.conformance.signed.dialect import Api, Means
from flask_otp_mpp.conformance.signed.play import SignedCases, SignedPlay
from flask_otp_mpp.conformance.signed.probe import LET_IN, SIGN, Make, add, probe, reading
from flask_otp_mpp.conformance.wire import Request

CASES: Final = SignedCases(Group.SIGNATURE, SIGNED, SIGN)


def _header(change: Callable[[str], str]) -> Make:
    def make(play: SignedPlay) -> Request:
        request = probe(play)
        return request.with_header("Signature", change(request.header("signature")))

    return make


def _value(change: Callable[[str], str]) -> Make:
    """Change the base64 of the signature, which has a ``+`` and a ``/``, and ends with ``=``."""

    def make(play: SignedPlay) -> Request:
        while True:
            request = probe(play)
            start, mark, value = request.header("signature").rpartition("signature=")
            bare = unquote(value)
            if {"+", "/"} <= set(bare):
                return request.with_header("Signature", start + mark + change(bare))

    return make


def _lower_hex(text: str) -> str:
    return re.sub("%..", lambda found: found[0].lower(), text)


def _reversed(text: str) -> str:
    return ",".join(reversed(text.split(",")))


def _indented(play: SignedPlay) -> Request:
    return play.request(Api.VERIFY, json.dumps(play.fields(Api.VERIFY), indent=3).encode())


add(
    CASES,
    (("signature.indented", "A body that is indented by 3 is accepted as it was signed",
      _indented),),
    "The signature covers the body as it is sent, not as it would be written again.",
    *LET_IN,
    source=Source("global-open-sdk-python", "the body of its requests"),
)  # fmt: skip
add(
    CASES,
    (
        ("signature.spaces", "Spaces behind the commas of the header are accepted",
         _header(lambda text: text.replace(",", ", "))),
        ("signature.algorithm-in-lower-case", "The algorithm rsa256 is accepted",
         _header(lambda text: text.replace("RSA256", "rsa256"))),
    ),
    "The parts of the header may have spaces between them, and the algorithm has no case.",
    *LET_IN,
)  # fmt: skip
add(
    CASES,
    (("signature.lower-case-hex", "Percent-escapes in lower case are accepted",
      _header(_lower_hex)),),
    "The hex digits of an escape have no case.",
    *LET_IN,
    source=Source("RFC 3986", "2.1"),
)  # fmt: skip
add(
    CASES,
    (
        ("signature.bare-base64", "A signature that is not percent-encoded is accepted",
         _value(lambda bare: bare)),
        ("signature.all-escaped", "A signature of which each letter is escaped is accepted",
         _value(lambda bare: "".join(f"%{ord(one):02X}" for one in bare))),
    ),
    "A percent-encoded text is decoded; a plus sign is no space.",
    *LET_IN,
    source=reading("The plus sign of bare base64 is no space. No other reading is accepted."),
    severity=Severity.RECOMMENDED,
)  # fmt: skip
add(
    CASES,
    (
        ("signature.order", "The parts of the header are accepted in another order",
         _header(_reversed)),
        ("signature.names-in-lower-case", "The names of the parts are accepted in lower case",
         _header(lambda text: text.replace("keyVersion", "keyversion"))),
        ("signature.further-part", "A further part of the header is ignored",
         _header(lambda text: f"{text},note=x")),
    ),
    "The parts of the header are known by their names.",
    *LET_IN,
    source=reading("The parts are read by name. No other reading is accepted."),
    severity=Severity.RECOMMENDED,
)  # fmt: skip
add(
    CASES,
    (
        ("signature.url-safe", "A signature in the URL-safe alphabet causes no internal error",
         _value(lambda bare: bare.replace("+", "-").replace("/", "_"))),
        ("signature.no-padding", "A signature without its padding causes no internal error",
         _value(lambda bare: bare.rstrip("="))),
        ("signature.no-algorithm", "A header without the algorithm causes no internal error",
         _header(lambda text: text.replace("algorithm=RSA256,", ""))),
    ),
    "A header in an unusual form is refused as a bad signature, or read as what it means.",
    Means.BAD_SIGNATURE,
    *LET_IN,
    source=reading("It is refused as a bad signature; it is accepted as well, for it is right."),
    severity=Severity.RECOMMENDED,
)  # fmt: skip
add(
    CASES,
    (
        ("signature.part-repeated", "A header that holds two signatures is refused",
         _header(lambda text: f"{text},signature=AAAA")),
        ("signature.part-repeated-first", "A header whose second signature is right is refused",
         _header(lambda text: text.replace("signature=", "signature=AAAA,signature="))),
    ),
    "A part stands in the header once.",
    Means.BAD_SIGNATURE,
    source=reading("Each part is there once. No other reading is accepted."),
    severity=Severity.RECOMMENDED,
)  # fmt: skip
