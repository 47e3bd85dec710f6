"""Cases of method, path, query string and media type."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final

from flask_otp_mpp.conformance.case import SIGNED, Group, Severity, Source
from flask_otp_mpp.conformance.signed.dialect import Api, Means
from flask_otp_mpp.conformance.signed.play import SignedCases, SignedPlay, Signing
from flask_otp_mpp.conformance.signed.probe import HEADER, LET_IN, SIGN, Make, add, probe, reading
from flask_otp_mpp.conformance.wire import Request

CASES: Final = SignedCases(Group.TRANSPORT, SIGNED, HEADER)
_CODES: Final = Source("Alipay+ sendOTP and verifyOTP, AMS", "Result/Error codes")
_BODILESS: Final = ("GET", "DELETE", "OPTIONS")


def _method(play: SignedPlay, method: str, api: Api) -> Request:
    """Return a request that is right for another method, which it signs."""
    signing = Signing(method=method, uri=play.uri(api))
    return play.request(api, b"" if method in _BODILESS else play.fields(api), signing)


def _at(change: Callable[[str], str]) -> Make:
    """Return what makes a probe of another path, which it signs."""
    return lambda play: probe(play, Signing(uri=change(play.uri(Api.VERIFY))))


def _absolute(play: SignedPlay) -> Request:
    request, base = probe(play), play.bench.target.base_url
    return replace(request, uri=f"{base.partition('://')[0]}://{play.bench.http.host}{request.uri}")


def _sibling(name: str) -> Make:
    return _at(lambda uri: f"{uri.rpartition('/')[0]}/{name}")


def _typed(*media_types: str) -> Make:
    return lambda play: probe(play).with_header("Content-Type", *media_types)


# Methods.

add(
    CASES,
    (
        *(
            (f"transport.{method.lower()}", f"{method} is refused as a method",
             partial(_method, method=method, api=Api.VERIFY))
            for method in ("GET", "PUT", "DELETE", "PATCH")
        ),
        ("transport.get-send", "GET is refused where codes are asked for",
         partial(_method, method="GET", api=Api.SEND)),
    ),
    "The one method is POST; each other one is told that it is not supported.",
    Means.METHOD,
    source=_CODES,
)  # fmt: skip
add(
    CASES,
    (
        ("transport.options", "OPTIONS is refused as a method",
         partial(_method, method="OPTIONS", api=Api.VERIFY)),
        ("transport.propfind", "A method that HTTP itself does not know is refused",
         partial(_method, method="PROPFIND", api=Api.VERIFY)),
    ),
    "Each method but POST is told that it is not supported.",
    Means.METHOD,
    source=reading("No method is an exception. No other reading is accepted."),
    severity=Severity.RECOMMENDED,
)  # fmt: skip


# Paths and query strings.

add(
    CASES,
    (
        ("transport.unknown-path", "A path beside the APIs names no API", _sibling("noSuchApi")),
        ("transport.longer-name", "The name of an API with a letter behind it names no API",
         _at(lambda uri: f"{uri}x")),
    ),
    "A path that names no API is told so.",
    Means.NO_API,
    source=_CODES,
)  # fmt: skip
add(
    CASES,
    (
        ("transport.path-below", "A path below an API names no API", _at(lambda uri: f"{uri}/x")),
        ("transport.path-above", "The path above the APIs names no API", _sibling("")),
    ),
    "A path that names no API is told so.",
    Means.NO_API,
    source=reading("It names no API. No other reading is accepted."),
    severity=Severity.RECOMMENDED,
)  # fmt: skip
add(
    CASES,
    (("transport.get-unknown-path", "GET of a path beside the APIs is refused by the protocol",
      lambda play: play.request(
          Api.VERIFY, b"", Signing("GET", f"{play.uri(Api.VERIFY).rpartition('/')[0]}/noSuchApi")
      )),),
    "Below the prefix each refusal is one of the protocol.",
    Means.NO_API,
    Means.METHOD,
    source=reading("There is no such API; the method may be refused first as well."),
    severity=Severity.RECOMMENDED,
)  # fmt: skip
add(
    CASES,
    (
        ("transport.trailing-slash", "A slash behind the path is not answered by a redirect",
         _at(lambda uri: f"{uri}/")),
        ("transport.path-case", "The path in lower case is answered by the protocol",
         _at(str.lower)),
        ("transport.doubled-slash", "A doubled slash in the path is not answered by a redirect",
         _at(lambda uri: "//".join(uri.rsplit("/", 1)))),
    ),
    "A path that is nearly that of an API is answered by the protocol.",
    Means.NO_API,
    *LET_IN,
    source=reading("It names no API; it may name the API as well."),
    severity=Severity.RECOMMENDED,
)  # fmt: skip
add(
    CASES,
    (
        ("transport.query", "A query string that is signed is covered by the signature",
         _at(lambda uri: f"{uri}?channel=1&time=a%2Fb+c")),
    ),
    "The signature covers path and query string as they are sent.",
    *LET_IN,
    Means.PARAMETER,
    Means.NO_API,
    source=SIGN,
)  # fmt: skip
add(
    CASES,
    (("transport.absolute-form", "A target with scheme and host is read as its path", _absolute),),
    "A server takes the absolute form of a target, as the official client in Python writes it.",
    *LET_IN,
    source=Source("RFC 9112", "3.2.2"),
    severity=Severity.RECOMMENDED,
)


# Media types.

add(
    CASES,
    (
        ("transport.json", "The type application/json without a charset is accepted",
         _typed("application/json")),
        ("transport.no-space", "A charset without a space before it is accepted",
         _typed("application/json;charset=UTF-8")),
        ("transport.charset-in-lower-case", "The charset utf-8 is accepted",
         _typed("application/json; charset=utf-8")),
        ("transport.type-in-upper-case", "A media type in upper case is accepted",
         _typed("APPLICATION/JSON; CHARSET=UTF-8")),
        ("transport.charset-quoted", "A charset in quotes is accepted",
         _typed('application/json; charset="UTF-8"')),
        ("transport.space-before-semicolon", "A space before the semicolon is accepted",
         _typed("application/json ; charset=UTF-8")),
    ),
    "The media type is JSON, in each form that HTTP allows.",
    *LET_IN,
    source=Source("RFC 9110", "8.3.1"),
)  # fmt: skip
add(
    CASES,
    (
        ("transport.empty-parameter", "A semicolon without a parameter is accepted",
         _typed("application/json;")),
        ("transport.unknown-parameter", "A parameter that is not known is accepted",
         _typed("application/json; version=1; charset=UTF-8")),
    ),
    "The media type is JSON, whatever further parameters it has.",
    *LET_IN,
    source=Source("RFC 9110", "5.6.6, 8.3.1", "It is JSON. No other reading is accepted."),
    severity=Severity.RECOMMENDED,
)  # fmt: skip
_NO_JSON: Final = (
    ("text", "text/plain"),
    ("xml", "application/xml"),
    ("form", "application/x-www-form-urlencoded"),
    ("multipart", "multipart/form-data; boundary=json"),
)
add(
    CASES,
    tuple(
        (f"transport.{name}", f"A body that is announced as {kind} is refused", _typed(kind))
        for name, kind in _NO_JSON
    ),
    "A body whose media type is not JSON is not read.",
    Means.MEDIA_TYPE,
    Means.PARAMETER,
    source=reading("The media type is not acceptable; a bad parameter is accepted as well."),
    severity=Severity.RECOMMENDED,
)
add(
    CASES,
    (
        ("transport.charset-latin-1", "The charset ISO-8859-1 causes no internal error",
         _typed("application/json; charset=ISO-8859-1")),
        ("transport.charset-utf-16", "The charset UTF-16 causes no internal error",
         _typed("application/json; charset=UTF-16")),
        ("transport.no-type", "A request without a media type causes no internal error", _typed()),
    ),
    "A media type that is unusual is refused, or the body is read as JSON.",
    Means.MEDIA_TYPE,
    Means.PARAMETER,
    *LET_IN,
    source=reading("It is refused; the body may be read as JSON in UTF-8 as well."),
    severity=Severity.RECOMMENDED,
)  # fmt: skip
