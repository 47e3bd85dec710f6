"""Cases of all answers of a run: their status and headers, as the official clients read them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from flask_otp_mpp.conformance.case import SIGNED, Group, Severity, Source
from flask_otp_mpp.conformance.play import Exchange
from flask_otp_mpp.conformance.signed.answers import OVERVIEW, Holds, see_all
from flask_otp_mpp.conformance.signed.play import SignedCases, SignedPlay

_HEADERS: Final = Source(OVERVIEW, "Message structure, response header")
_TIME: Final = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d([.,]\d{1,9})?(Z|[+-]\d\d:?\d\d)", re.ASCII
)

CASES: Final = SignedCases(Group.ANSWERS, SIGNED, _HEADERS)


def _known_client(play: SignedPlay, one: Exchange) -> bool:
    names = [value for name, value in one.request.headers if name.lower() == "client-id"]
    second = play.bench.target.second_client
    return names in ([play.client.id], [second.id if second else ""])


def _time_of(one: Exchange) -> datetime | None:
    text = one.response.header("response-time")
    if _TIME.fullmatch(text) is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _fresh(play: SignedPlay, one: Exchange) -> bool:
    time = _time_of(one)
    return time is None or abs(time - one.at) <= timedelta(seconds=play.limits.freshness_seconds)


def _media_type(_play: SignedPlay, one: Exchange) -> bool:
    media, _, parameters = one.response.header("content-type").partition(";")
    of_json = media.strip().lower() == "application/json"
    return of_json and parameters.replace(" ", "").lower() in {"charset=utf-8", 'charset="utf-8"'}


def _unsigned(one: Exchange) -> bool:
    """Tell whether an answer has no signature, which other cases find."""
    return not one.response.header("signature")


def _items(one: Exchange) -> list[str]:
    return one.response.header("signature").split(",")


def _third_item(_: SignedPlay, one: Exchange) -> bool:
    items = _items(one)
    third = items[2] if len(items) == 3 else ""
    return _unsigned(one) or (third.startswith("signature=") and third.count("=") == 1)


def _url_encoded(_: SignedPlay, one: Exchange) -> bool:
    value = _items(one)[-1].partition("=")[2]
    encoded = re.fullmatch("(?:[A-Za-z0-9]|%[0-9A-Fa-f]{2})+", value)
    return _unsigned(one) or encoded is not None


def _of_known_key(play: SignedPlay, one: Exchange) -> bool:
    items = dict(item.strip().partition("=")[::2] for item in _items(one))
    versions = play.bench.target.wallet_keys
    known = items.get("algorithm") == "RSA256" and items.get("keyVersion") in versions
    return _unsigned(one) or known


def _not_repeated(_: SignedPlay, one: Exchange) -> bool:
    names = [name.lower() for name, _ in one.response.headers]
    return all(names.count(name) <= 1 for name in ("signature", "client-id", "response-time"))


def _lower_case(_: SignedPlay, one: Exchange) -> bool:
    names = {name for name, _ in one.response.headers}
    return all(
        name in names or name not in {other.lower() for other in names}
        for name in ("signature", "client-id", "response-time")
    )


_PYTHON: Final = "The official SDK for Python looks names up in lower case."
_JAVA: Final = "The official SDK for Java takes the third item, with one equals sign in it."
_HTTP: Final = "Any other status is no answer to the official clients; a bare 429 is accepted."
_REQUIRED, _RECOMMENDED = Severity.REQUIRED, Severity.RECOMMENDED

_CHECKS: Final[tuple[tuple[str, str, Holds, str, Source, Severity], ...]] = (
    (
        "http-200",
        "Every answer has the HTTP status 200, that to a wrong request too",
        lambda _, one: one.response.status == 200,
        "answers have another HTTP status",
        Source(OVERVIEW, "Result handling", _HTTP),
        _REQUIRED,
    ),
    (
        "client-id",
        "Every answer names the client of its request",
        lambda play, one: (
            not _known_client(play, one)
            or one.response.header("client-id") == one.request.header("client-id")
        ),
        "answers have no client-id, or another one",
        _HEADERS,
        _REQUIRED,
    ),
    (
        "response-time",
        "Every answer has a time in ISO 8601 with an offset",
        lambda _, one: _time_of(one) is not None,
        "answers have no response-time in ISO 8601 with an offset",
        _HEADERS,
        _REQUIRED,
    ),
    (
        "fresh",
        "The time of every answer is that of the answer",
        _fresh,
        "answers have a response-time that is not now",
        Source(OVERVIEW, "Message structure", "Within the window that requests have."),
        _REQUIRED,
    ),
    (
        "headers-once",
        "No header of the signature is repeated in an answer",
        _not_repeated,
        "answers repeat signature, client-id or response-time",
        _HEADERS,
        _REQUIRED,
    ),
    (
        "header-names",
        "The names of the headers are in lower case",
        _lower_case,
        "answers have signature, client-id or response-time in upper case",
        Source(OVERVIEW, "Message structure", _PYTHON),
        _RECOMMENDED,
    ),
    (
        "signature-form",
        "The signature header has three items, the third one of one equals sign",
        _third_item,
        "answers have a signature header that the Java SDK can't read",
        Source(OVERVIEW, "Sign a response", _JAVA),
        _REQUIRED,
    ),
    (
        "signature-url-encoded",
        "The signature is base64, URL-encoded",
        _url_encoded,
        "answers have a signature that is not URL-encoded",
        Source(OVERVIEW, "Sign a response"),
        _REQUIRED,
    ),
    (
        "signature-key",
        "The signature header names RSA256 and a key that is known",
        _of_known_key,
        "answers name another algorithm, or a key version that is not configured",
        Source(OVERVIEW, "Sign a response"),
        _REQUIRED,
    ),
    (
        "media-type",
        "Every answer is application/json in UTF-8",
        _media_type,
        "answers have another content-type than application/json; charset=UTF-8",
        _HEADERS,
        _REQUIRED,
    ),
)

for _name, _title, _holds, _said, _source, _severity in _CHECKS:
    CASES.add(
        f"answers.{_name}",
        _title,
        "An answer has the form that the documents and the official clients demand.",
        source=_source,
        severity=_severity,
        last=True,
    )(partial(see_all, holds=_holds, said=_said))
