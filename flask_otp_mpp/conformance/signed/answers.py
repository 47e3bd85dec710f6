"""Cases of all answers of a run: signed, fresh, of the form that the official clients read."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from flask_otp_mpp.conformance.case import SIGNED, Group, Severity, Skipped, Source
from flask_otp_mpp.conformance.play import Exchange
from flask_otp_mpp.conformance.signed.dialect import UNDECIDED, Means
from flask_otp_mpp.conformance.signed.play import SignedCases, SignedPlay

_OVERVIEW: Final = "Alipay+ and AMS API overview"
_HEADERS: Final = Source(_OVERVIEW, "Message structure, response header")
_RESULT: Final = Source("Alipay+ sendOTP and verifyOTP, AMS", "Response parameters, result")
_TIME: Final = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d([.,]\d{1,9})?(Z|[+-]\d\d:?\d\d)", re.ASCII
)
_CODE: Final = re.compile("[A-Z][A-Z0-9_]{0,63}")
_STATUSES: Final = {"S": "success", "F": "failure", "U": "unknown"}

CASES: Final = SignedCases(Group.ANSWERS, SIGNED, _HEADERS)
Holds = Callable[[SignedPlay, Exchange], object]


def answers(play: SignedPlay) -> Sequence[Exchange]:
    """Return the exchanges of the run whose answers must have the documented form.

    An answer to HEAD has no body that could be checked. A 429 without a body refuses traffic before
    anything is known of its caller; it is accepted.

    :raises Skipped: if there is none.
    """
    found = [
        one
        for one in play.said()
        if one.request.method != "HEAD" and (one.response.status != 429 or one.response.body)
    ]
    if not found:
        raise Skipped("no case before it has asked anything")
    return found


def see_all(play: SignedPlay, holds: Holds, said: str) -> None:
    """See that something holds for all answers.

    :param said: what is wrong with those for which it does not hold.
    :raises Failed: with their number, and which code the first one had.
    """
    all_of_them = answers(play)
    wrong = [one for one in all_of_them if not holds(play, one)]
    if wrong:
        first = wrong[0].code or f"HTTP {wrong[0].response.status}"
        play.check(not wrong, f"{len(wrong)} of {len(all_of_them)} {said}; the first: {first}")


def body_of(one: Exchange) -> dict[str, Any]:
    """Return the JSON object of an answer; an empty one if it is none."""
    try:
        value = json.loads(one.response.body.decode("utf-8"))
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def result_of(one: Exchange) -> dict[str, Any]:
    """Return the result of an answer; an empty one if it has none."""
    result = body_of(one).get("result")
    return result if isinstance(result, dict) else {}


def _signed(play: SignedPlay, status: str) -> None:
    of_status = [one for one in answers(play) if result_of(one).get("resultStatus") == status]
    if not of_status:
        raise Skipped(f"no answer of the run had resultStatus {status}")
    wrong = [one for one in of_status if not one.verified]
    told = ", ".join(sorted({one.code for one in wrong}))
    play.check(
        not wrong,
        f"the signatures of {len(wrong)} of {len(of_status)} answers with status {status} are "
        f"missing or wrong: {told}",
    )


for _status, _word in _STATUSES.items():
    CASES.add(
        f"answers.signed-{_word}",
        f"Every answer with resultStatus {_status} is signed by the wallet's key",
        "The signature covers method, path, client-id, response-time and the bytes of the body.",
        source=Source(_OVERVIEW, "Sign a response"),
        last=True,
    )(partial(_signed, status=_status))


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


def _items(one: Exchange) -> list[str]:
    return one.response.header("signature").split(",")


def _third_item(_: SignedPlay, one: Exchange) -> bool:
    items = _items(one)
    third = items[2] if len(items) == 3 else ""
    return third.startswith("signature=") and third.count("=") == 1


def _url_encoded(_: SignedPlay, one: Exchange) -> bool:
    value = _items(one)[-1].partition("=")[2]
    return re.fullmatch("(?:[A-Za-z0-9]|%[0-9A-Fa-f]{2})+", value) is not None


def _of_known_key(play: SignedPlay, one: Exchange) -> bool:
    items = dict(item.strip().partition("=")[::2] for item in _items(one))
    versions = play.bench.target.wallet_keys
    return items.get("algorithm") == "RSA256" and items.get("keyVersion") in versions


def _named_once(_: SignedPlay, one: Exchange) -> bool:
    names = [name.lower() for name, _ in one.response.headers]
    return all(names.count(name) == 1 for name in ("signature", "client-id", "response-time"))


def _lower_case(_: SignedPlay, one: Exchange) -> bool:
    names = {name for name, _ in one.response.headers}
    return all(
        name in names or name not in {other.lower() for other in names}
        for name in ("signature", "client-id", "response-time")
    )


def _status_of_code(play: SignedPlay, one: Exchange) -> bool:
    of = {code: means for means, codes in play.dialect.codes.items() for code in codes}
    means = of.get(one.code)
    if means is None:
        return True
    status = "S" if means is Means.SUCCESS else "U" if means in UNDECIDED else "F"
    return result_of(one).get("resultStatus") == status


def _message(_: SignedPlay, one: Exchange) -> bool:
    message = result_of(one).get("resultMessage")
    return message is None or (isinstance(message, str) and len(message) <= 256)


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
        Source(_OVERVIEW, "Result handling", _HTTP),
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
        Source(_OVERVIEW, "Message structure", "Within the window that requests have."),
        _REQUIRED,
    ),
    (
        "headers-once",
        "Each header of the signature stands once in every answer",
        _named_once,
        "answers lack signature, client-id or response-time, or repeat it",
        _HEADERS,
        _REQUIRED,
    ),
    (
        "header-names",
        "The names of the headers are in lower case",
        _lower_case,
        "answers have signature, client-id or response-time in upper case",
        Source(_OVERVIEW, "Message structure", _PYTHON),
        _RECOMMENDED,
    ),
    (
        "signature-form",
        "The signature header has three items, the third one of one equals sign",
        _third_item,
        "answers have a signature header that the Java SDK can't read",
        Source(_OVERVIEW, "Sign a response", _JAVA),
        _REQUIRED,
    ),
    (
        "signature-url-encoded",
        "The signature is base64, URL-encoded",
        _url_encoded,
        "answers have a signature that is not URL-encoded",
        Source(_OVERVIEW, "Sign a response"),
        _REQUIRED,
    ),
    (
        "signature-key",
        "The signature header names RSA256 and a key that is known",
        _of_known_key,
        "answers name another algorithm, or a key version that is not configured",
        Source(_OVERVIEW, "Sign a response"),
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
    (
        "one-object",
        "The body of every answer is one JSON object with a result",
        lambda _, one: bool(result_of(one)),
        "answers have no JSON object with a result",
        _RESULT,
        _REQUIRED,
    ),
    (
        "result-code",
        "Every resultCode is a string of at most 64 characters",
        lambda _, one: _CODE.fullmatch(str(result_of(one).get("resultCode"))),
        "answers have no resultCode of capitals and underscores",
        _RESULT,
        _REQUIRED,
    ),
    (
        "result-status",
        "Every resultStatus is S, F or U",
        lambda _, one: result_of(one).get("resultStatus") in _STATUSES,
        "answers have another resultStatus",
        _RESULT,
        _REQUIRED,
    ),
    (
        "status-of-code",
        "Every resultStatus is that of its resultCode",
        _status_of_code,
        "answers have a resultStatus that does not belong to the resultCode",
        Source("Alipay+ sendOTP and verifyOTP, AMS", "Result/Error codes"),
        _REQUIRED,
    ),
    (
        "message-length",
        "No resultMessage is longer than 256 characters",
        _message,
        "answers have a resultMessage that is too long, or no string",
        _RESULT,
        _REQUIRED,
    ),
    (
        "message",
        "Every answer has a resultMessage",
        lambda _, one: bool(result_of(one).get("resultMessage")),
        "answers have no resultMessage",
        Source(_RESULT.document, _RESULT.section, "The pages recommend it."),
        _RECOMMENDED,
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
