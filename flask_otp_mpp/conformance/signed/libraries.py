"""Cases of whole requests as the official client libraries write them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from flask_otp_mpp.conformance.case import SIGNED, Group, Severity, Source
from flask_otp_mpp.conformance.signed import times
from flask_otp_mpp.conformance.signed.dialect import Api
from flask_otp_mpp.conformance.signed.play import SignedCases, SignedPlay, Signing, to_json
from flask_otp_mpp.conformance.signed.probe import LET_IN, add
from flask_otp_mpp.conformance.wire import Request

CASES: Final = SignedCases(Group.HEADERS, SIGNED, Source("global-open-sdk", "its requests"))
_ACCEPT: Final = ("Accept", "text/plain,text/xml,text/javascript,text/html")
_JSON: Final = "application/json; charset=UTF-8"
_SIGNED: Final = {
    "{time}": "request-time",
    "{client}": "client-id",
    "{signature}": "signature",
}


@dataclass(frozen=True, slots=True)
class Library:
    """What a library sends; ``Accept-Encoding`` is left out, so that the answer can be read.

    :param headers: in its order and spelling.
    :param time: how it writes Request-Time.
    :param body: how it writes JSON.
    """

    headers: tuple[tuple[str, str], ...]
    time: times.Form
    body: Callable[[Mapping[str, Any]], str]


def _escaped(fields: Mapping[str, Any]) -> str:
    """Escape slashes and letters that are not ASCII, as ``json_encode`` does."""
    return json.dumps({**fields, "memo": "a/b \xe4"}, separators=(",", ":")).replace("/", "\\/")


PYTHON: Final = Library(
    (
        ("Host", "{host}"),
        ("Content-Length", "{length}"),
        ("Content-type", _JSON),
        _ACCEPT,
        ("Cache-Control", "no-cache"),
        ("Connection", "Keep-Alive"),
        ("User-Agent", "global-open-sdk-python/1.6.0"),
        ("Request-Time", "{time}"),
        ("client-id", "{client}"),
        ("Signature", "{signature}"),
    ),
    times.seconds,
    partial(json.dumps, indent=3),
)
JAVA: Final = Library(
    (
        ("Connection", "keep-alive"),
        ("Content-Type", _JSON),
        ("Request-Time", "{time}"),
        ("Signature", "{signature}"),
        ("client-id", "{client}"),
        ("Content-Length", "{length}"),
        ("Host", "{host}"),
        ("User-Agent", "Apache-HttpClient/4.5.14 (Java/17.0.15)"),
    ),
    times.milliseconds,
    to_json,
)
JAVA_RPC: Final = Library(
    (
        _ACCEPT,
        ("User-Agent", "global-sdk-java"),
        ("Content-Type", _JSON),
        ("Request-Time", "{time}"),
        ("Signature", "{signature}"),
        ("client-id", "{client}"),
        ("Host", "{host}"),
        ("Connection", "keep-alive"),
        ("Content-Length", "{length}"),
    ),
    times.milliseconds,
    to_json,
)
PHP: Final = Library(
    (
        ("Host", "{host}"),
        ("Accept", "*/*"),
        ("Content-Type", _JSON),
        ("Request-Time", "{time}"),
        ("client-id", "{client}"),
        ("Signature", "{signature}"),
        ("User-Agent", "global-open-sdk-php/1.6.2"),
        ("Content-Length", "{length}"),
    ),
    times.compact_offset,
    _escaped,
)
GO: Final = Library(
    (
        ("Host", "{host}"),
        ("User-Agent", "Go-http-client/1.1"),
        ("Content-Length", "{length}"),
        ("Client-Id", "{client}"),
        ("Content-Type", _JSON),  # its first one, which HTTP does not allow, is left out
        ("Key-Version", "1"),
        ("Request-Time", "{time}"),
        ("Signature", "{signature}"),
    ),
    times.nanoseconds,
    to_json,
)


def _write(play: SignedPlay, library: Library) -> Request:
    """Return the probe as a library writes it."""
    body = library.body(play.fields(Api.VERIFY)).encode()
    request = play.request(Api.VERIFY, body, Signing(time=library.time(play.bench.now())))
    values = {mark: request.header(name) for mark, name in _SIGNED.items()}
    values |= {"{host}": play.bench.http.host, "{length}": str(len(body))}
    headers = tuple((name, values.get(value, value)) for name, value in library.headers)
    return replace(request, headers=headers)


add(
    CASES,
    (
        ("headers.sdk-python", "The request of the official client in Python is let in",
         partial(_write, library=PYTHON)),
        ("headers.sdk-java", "The request of the official client in Java is let in",
         partial(_write, library=JAVA)),
        ("headers.sdk-java-rpc", "The request of its DefaultHttpRPC is let in",
         partial(_write, library=JAVA_RPC)),
    ),
    "What an official client sends is understood.",
    *LET_IN,
)  # fmt: skip
add(
    CASES,
    (
        ("headers.sdk-php", "The request of the official client in PHP is let in",
         partial(_write, library=PHP)),
        ("headers.sdk-go", "The request of the official client in Go is let in",
         partial(_write, library=GO)),
    ),
    "What an official client sends is understood.",
    *LET_IN,
    source=Source("global-open-sdk (PHP, Go)", "its requests",
                  "Its forms of time, which no document has, are read. No other reading."),
    severity=Severity.RECOMMENDED,
)  # fmt: skip
