"""Cases of bodies: what is no JSON object, what is one in an unusual form, and what is too much."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final

from flask_otp_mpp.conformance.case import SIGNED, Group, Severity, Source
from flask_otp_mpp.conformance.signed.dialect import Api, Means
from flask_otp_mpp.conformance.signed.play import SignedCases, SignedPlay, to_json
from flask_otp_mpp.conformance.signed.probe import LET_IN, Make, add, probe, reading
from flask_otp_mpp.conformance.wire import Request

CASES: Final = SignedCases(
    Group.BODY, SIGNED, Source("Alipay+ sendOTP and verifyOTP, AMS", "Request parameters")
)
_JSON: Final = Source("RFC 8259", "2, 7, 8.1")
_STRICT: Final = reading("The body is refused as a bad parameter. No other reading is accepted.")
_EITHER: Final = reading("The body is refused as a bad parameter; it may be read as well.")
_MEGABYTE: Final = 1_000_000


def _body(body: bytes) -> Make:
    return lambda play: play.request(Api.VERIFY, body)


def _text(change: Callable[[str], str], encoding: str = "utf-8") -> Make:
    """Return what makes a probe of which the body was changed before it was signed."""

    def make(play: SignedPlay) -> Request:
        text = to_json(play.fields(Api.VERIFY))
        return play.request(Api.VERIFY, change(text).encode(encoding, "surrogatepass"))

    return make


def _member(written: str, encoding: str = "utf-8") -> Make:
    """Return what makes a probe with a further member, whose value is written like this."""
    return _text(lambda text: f'{text[:-1]},"memo":{written}}}', encoding)


def _names(text: str) -> str:
    """Escape the first letter of each name."""
    return re.sub('"([a-z])(?=[A-Za-z]*":)', lambda found: f'"\\u{ord(found[1]):04x}', text)


def _again(text: str) -> str:
    """Write the member that names the challenge once more, with another value."""
    name = next(name for name in json.loads(text) if name.endswith("RequestId"))
    return f'"{name}":"x"'


def _with_bad_signature(play: SignedPlay, body: bytes) -> Request:
    """Sign a body, and replace it by another one."""
    return replace(probe(play), body=body)


def _chunked(play: SignedPlay) -> Request:
    return probe(play).with_header("Transfer-Encoding", "chunked")


add(
    CASES,
    (
        ("body.empty", "An empty body is a bad parameter", _body(b"")),
        ("body.no-json", "A body that is no JSON is a bad parameter", _body(b"acquirerId=1")),
        ("body.array", "An array is a bad parameter", _text(lambda text: f"[{text}]")),
        ("body.string", "A string is a bad parameter", _body(b'"acquirerId"')),
        ("body.number", "A number is a bad parameter", _body(b"1")),
        ("body.null", "A null is a bad parameter", _body(b"null")),
        ("body.no-members", "An object without members is a bad parameter", _body(b"{}")),
        ("body.truncated", "An object without its end is a bad parameter",
         _text(lambda text: text[:-1])),
    ),
    "A body is one JSON object with the fields of the API; without them they are missing.",
    Means.PARAMETER,
)  # fmt: skip
add(
    CASES,
    (
        ("body.garbage-behind", "Letters behind the object are refused",
         _text(lambda text: f"{text}x")),
        ("body.two-objects", "A second object behind the first is refused",
         _text(lambda text: f"{text}{text}")),
        ("body.nan", "NaN is refused", _member("NaN")),
        ("body.infinity", "Infinity is refused", _member("-Infinity")),
        ("body.single-quotes", "Single quotes are refused",
         _text(lambda text: text.replace('"', "'"))),
        ("body.trailing-comma", "A comma before the end of the object is refused",
         _text(lambda text: f"{text[:-1]},}}")),
        ("body.comment", "A comment is refused", _text(lambda text: f"{text[:-1]}/* x */}}")),
        ("body.line-feed-in-string", "A line feed in a string is refused", _member('"a\nb"')),
        ("body.utf-16", "UTF-16 is refused", _text(lambda text: text, "utf-16")),
    ),
    "What is not JSON by its grammar, or not in UTF-8, is not read.",
    Means.PARAMETER,
    source=_STRICT,
    severity=Severity.RECOMMENDED,
)  # fmt: skip
add(
    CASES,
    (
        ("body.duplicate", "A member with another value before it is refused",
         _text(lambda text: f"{{{_again(text)},{text[1:]}")),
        ("body.duplicate-behind", "A member with another value behind it is refused",
         _text(lambda text: f"{text[:-1]},{_again(text)}}}")),
        ("body.duplicate-escaped", "A member that is repeated under an escaped name is refused",
         _text(lambda text: f"{{{_names(_again(text))},{text[1:]}")),
    ),
    "No member of an object is repeated: who checks and who acts may read another one.",
    Means.PARAMETER,
    source=_STRICT,
    severity=Severity.RECOMMENDED,
)  # fmt: skip
add(
    CASES,
    (
        ("body.bom", "A byte order mark causes no internal error",
         lambda play: play.request(
             Api.VERIFY, codecs.BOM_UTF8 + to_json(play.fields(Api.VERIFY)).encode()
         )),
        ("body.latin-1", "A byte that is not UTF-8 causes no internal error",
         _member('"\xe4"', "latin-1")),
        ("body.encoded-surrogate", "A surrogate that was encoded as UTF-8 causes no internal error",
         _member('"\ud800"')),
        ("body.lone-surrogate", "Half of a surrogate pair causes no internal error",
         _member(r'"\ud83d"')),
        ("body.nul", "An escaped NUL causes no internal error", _member(r'"\u0000"')),
        ("body.huge-number", "A number that no float can hold causes no internal error",
         _member("1e999")),
        ("body.long-number", "A number of 5,000 digits causes no internal error",
         _member("9" * 5000)),
        ("body.deep", "Arrays in each other, 5,000 deep, cause no internal error",
         _member("[" * 5000 + "]" * 5000)),
        ("body.prototype", "A member __proto__ causes no internal error",
         _text(lambda text: f'{text[:-1]},"__proto__":{{"x":1}}}}')),
    ),
    "A body that a parser may or may not take is refused or read; it causes no internal error.",
    Means.PARAMETER,
    *LET_IN,
    source=_EITHER,
    severity=Severity.RECOMMENDED,
)  # fmt: skip
add(
    CASES,
    (
        ("body.escaped-names", "Names of members with escapes in them are read", _text(_names)),
        ("body.escaped-slash", "Escaped slashes are read", _member(r'"a\/b"')),
        ("body.white-space", "Tabs, line feeds and carriage returns around members are read",
         _text(lambda text: json.dumps(json.loads(text), indent="\t").replace("\n", "\r\n"))),
        ("body.line-feed-behind", "A line feed behind the object is read and signed",
         _text(lambda text: f"{text}\n")),
        ("body.utf-8", "Letters in UTF-8 are signed as they are sent",
         _member('"\xe4\u4e2d\U0001f511"')),
        ("body.surrogate-pair", "A letter that is escaped as a surrogate pair is read",
         _member(r'"\ud83d\udd11"')),
    ),
    "Each text that is JSON is read, and is signed as it is sent.",
    *LET_IN,
    source=_JSON,
)  # fmt: skip
add(
    CASES,
    (("body.chunked", "A body that is sent in chunks is read", _chunked),),
    "A server takes the transfer coding chunked.",
    *LET_IN,
    source=Source("RFC 9112", "7.1"),
    severity=Severity.RECOMMENDED,
)
add(
    CASES,
    (
        ("body.bad-signature-first", "Bad JSON with a bad signature is a bad signature",
         partial(_with_bad_signature, body=b"{")),
        ("body.bad-signature-empty", "An empty body with a bad signature is a bad signature",
         partial(_with_bad_signature, body=b"")),
    ),
    "A body is not parsed before its signature was verified.",
    Means.BAD_SIGNATURE,
    source=reading("Who has proven nothing learns nothing. No other reading is accepted."),
    severity=Severity.RECOMMENDED,
)  # fmt: skip


@CASES.add(
    "body.one-megabyte",
    "A body of 1 MB is answered in time",
    "A body that is longer than any request is refused, or read, and the caller learns of it.",
    source=reading("It is refused by a result or by HTTP 413 or 429; it may be read as well."),
    severity=Severity.RECOMMENDED,
)
def one_megabyte(play: SignedPlay) -> None:
    """Send a further member of that length; the request that follows must be served, too.

    It is no exchange of the run: no caller sends such a body, and no report needs it.
    """
    response = play.bench.http.send(probe(play, memo="a" * _MEGABYTE))
    status, seconds, limit = response.status, response.seconds, play.limits.answer_seconds
    play.check(
        status in {200, 413, 429}, f"HTTP 200 or 413 was expected, and {status} was answered"
    )
    play.check(seconds <= limit, f"the answer took {seconds:.1f} s; it must come in {limit:g} s")
    play.expect(play.deliver(probe(play)), *LET_IN)
