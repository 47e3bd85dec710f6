"""Cases of a request's headers: missing, empty, repeated, in another spelling, further ones."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Final

from flask_otp_mpp.conformance.case import SIGNED, Group, Severity, Source
from flask_otp_mpp.conformance.signed.dialect import Api, Means
from flask_otp_mpp.conformance.signed.play import SignedCases, SignedPlay, Signing
from flask_otp_mpp.conformance.signed.probe import HEADER, LET_IN, Make, add, probe, reading
from flask_otp_mpp.conformance.wire import Request

CASES: Final = SignedCases(Group.HEADERS, SIGNED, HEADER)
_RFC_FIELDS: Final = Source("RFC 9110", "5.1, 5.5")
_REQUIRED: Final = "Signature, Client-Id and Request-Time are required."
_NAMES: Final = {"signature": "Signature", "client": "Client-Id", "time": "Request-Time"}


def _with(header: str, *values: str) -> Make:
    """Return what makes a probe with other values of a header, once it is signed."""
    return lambda play: probe(play).with_header(header, *values)


def _send_unsigned(play: SignedPlay) -> Request:
    return play.request(Api.SEND, play.fields(Api.SEND)).with_header("Signature")


def _none(play: SignedPlay) -> Request:
    return replace(probe(play), headers=(("Content-Type", "application/json; charset=UTF-8"),))


def _nobody(play: SignedPlay) -> Request:
    """Sign for an empty Client-Id, and leave the header out."""
    signing = Signing(client=replace(play.client, id=""))
    return probe(play, signing).with_header("Client-Id")


def _timeless(play: SignedPlay) -> Request:
    """Sign an empty Request-Time."""
    return probe(play, Signing(time=""))


add(
    CASES,
    (
        ("headers.no-signature", "A request without a Signature is a bad signature",
         _with("Signature")),
        ("headers.empty-signature", "A request with an empty Signature is a bad signature",
         _with("Signature", "")),
        ("headers.send-unsigned", "A request for a code without a Signature is a bad signature",
         _send_unsigned),
    ),
    _REQUIRED,
    Means.BAD_SIGNATURE,
)  # fmt: skip
add(
    CASES,
    (
        ("headers.no-client", "A request without a Client-Id is refused", _with("Client-Id")),
        ("headers.empty-client", "A request with an empty Client-Id is refused",
         _with("Client-Id", "")),
        ("headers.no-client-signed", "A request that is signed for no client is refused", _nobody),
        ("headers.none", "A request without any of the three is refused", _none),
    ),
    _REQUIRED,
    Means.CLIENT_UNKNOWN,
    Means.KEY_NOT_FOUND,
    Means.BAD_SIGNATURE,
    Means.PARAMETER,
)  # fmt: skip
add(
    CASES,
    (
        ("headers.no-time", "A request whose Request-Time was taken away is refused",
         _with("Request-Time")),
        ("headers.no-time-signed", "A request that was signed without a time is refused",
         lambda play: _timeless(play).with_header("Request-Time")),
        ("headers.empty-time", "A request with an empty Request-Time is refused",
         _timeless),
    ),
    _REQUIRED,
    Means.BAD_SIGNATURE,
    Means.ACCESS_DENIED,
    Means.PARAMETER,
)  # fmt: skip


# Headers that come twice.


def _other(play: SignedPlay, name: str) -> str:
    """Return another value of a header, which is not right."""
    if name == "signature":
        return probe(play).header(name)
    later = play.bench.now() + timedelta(seconds=1)
    return "CONFORMANCE_UNKNOWN_0001" if name == "client" else play.time(later)


def _twice(play: SignedPlay, name: str, order: Callable[[str, str], tuple[str, str]]) -> Request:
    request, header = probe(play), _NAMES[name]
    return request.with_header(header, *order(request.header(header), _other(play, name)))


for _name, _header in _NAMES.items():
    add(
        CASES,
        (
            (f"headers.{_name}-repeated", f"A second, other {_header} is refused",
             partial(_twice, name=_name, order=lambda right, wrong: (right, wrong))),
            (f"headers.{_name}-repeated-first", f"A {_header} behind another one is refused",
             partial(_twice, name=_name, order=lambda right, wrong: (wrong, right))),
        ),
        "Of two different values none is the right one: who checks and who acts may see another.",
        Means.BAD_SIGNATURE,
        Means.CLIENT_UNKNOWN,
        Means.KEY_NOT_FOUND,
        Means.ACCESS_DENIED,
        Means.PARAMETER,
        source=reading("A header that comes twice is refused. No other reading is accepted."),
        severity=Severity.RECOMMENDED,
    )  # fmt: skip
    add(
        CASES,
        ((f"headers.{_name}-same-twice", f"A {_header} that comes twice causes no internal error",
          partial(_twice, name=_name, order=lambda right, _: (right, right))),),
        "A header that comes twice with one value is refused, or read as one.",
        Means.BAD_SIGNATURE,
        Means.CLIENT_UNKNOWN,
        Means.KEY_NOT_FOUND,
        Means.ACCESS_DENIED,
        Means.PARAMETER,
        *LET_IN,
        source=reading("It is refused; two equal values may be read as one as well."),
        severity=Severity.RECOMMENDED,
    )  # fmt: skip


# Names in another spelling, and further headers.


def _renamed(change: Callable[[str], str]) -> Make:
    def make(play: SignedPlay) -> Request:
        request = probe(play)
        return replace(request, headers=tuple((change(n), v) for n, v in request.headers))

    return make


def _spaced(play: SignedPlay) -> Request:
    request = probe(play)
    return replace(request, headers=tuple((n, f" \t {v}") for n, v in request.headers))


add(
    CASES,
    (
        ("headers.lower-case", "Names of headers are read in lower case", _renamed(str.lower)),
        ("headers.upper-case", "Names of headers are read in upper case", _renamed(str.upper)),
        ("headers.spaces", "White space before values is no part of them", _spaced),
    ),
    "The names of headers have no case, and white space before a value does not count.",
    *LET_IN,
    source=_RFC_FIELDS,
)  # fmt: skip
add(
    CASES,
    (
        ("headers.accept", "The Accept of the official client, without JSON, is of no account",
         _with("Accept", "text/plain,text/xml,text/javascript,text/html")),
        ("headers.tracer", "A request with a tracerid is let in", _with("tracerid", "0a1b2c3d")),
        ("headers.agent-token", "A request with an Agent-Token is let in",
         _with("Agent-Token", "x")),
        ("headers.unknown", "A request with an unknown header is let in",
         _with("X-Conformance-Unknown", "x")),
    ),
    "Other headers than the three and Content-Type do not decide about a request.",
    *LET_IN,
)  # fmt: skip
add(
    CASES,
    (("headers.expect", "A request that expects 100 Continue is let in",
      _with("Expect", "100-continue")),),
    "A request with Expect: 100-continue is answered, after an interim answer or without one.",
    *LET_IN,
    source=Source("RFC 9110", "10.1.1"),
    severity=Severity.RECOMMENDED,
)  # fmt: skip
add(
    CASES,
    (
        ("headers.method-override", "A header that names another method changes nothing",
         _with("X-HTTP-Method-Override", "DELETE")),
        ("headers.original-url", "A header that names another path changes nothing",
         _with("X-Original-URL", "/")),
    ),
    "Method and path are those of the request, which are signed.",
    *LET_IN,
    source=reading("No header overrides method or path. No other reading is accepted."),
    severity=Severity.RECOMMENDED,
)  # fmt: skip


@CASES.add(
    "headers.accept-encoding",
    "The official client in Java, which accepts gzip, gets an answer that it can read",
    "An answer is compressed in a way that its caller has named, or not at all.",
    source=Source("RFC 9110", "12.5.3"),
    severity=Severity.RECOMMENDED,
)
def accept_encoding(play: SignedPlay) -> None:
    """Name gzip and deflate, and read the answer."""
    answer = play.deliver(probe(play).with_header("Accept-Encoding", "gzip,deflate"))
    response = answer.response
    if response.header("content-encoding").lower() == "gzip":
        play.check(b"resultCode" in gzip.decompress(response.body), "the answer has no resultCode")
    else:
        play.expect(answer, *LET_IN)
