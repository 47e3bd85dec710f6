"""Cases of all answers of a run: sealed, fresh, in time, and without a secret."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from flask_otp_mpp.conformance.case import GOOGLE, Failed, Group, Severity
from flask_otp_mpp.conformance.google.answer import read_object, stamp_of
from flask_otp_mpp.conformance.google.dialect import ERRORS, VERIFY_RESULTS, Api, written
from flask_otp_mpp.conformance.google.play import GoogleCases, GooglePlay
from flask_otp_mpp.conformance.play import Exchange

CASES: Final = GoogleCases(Group.ANSWERS, GOOGLE, written("ResponseHeader; ErrorResponse"))
_SLA: Final = written("Service level", "90 % within 3 s, 95 % within 5 s.")
_FRESH: Final = timedelta(seconds=60)
_STAMP: Final = re.compile("[0-9]{13}")
_RESULT: Final = re.compile("[A-Z][A-Z0-9_]*")
_WORDS: Final = re.compile(r"\w+")
_CLEAR: Final = re.compile(rb'["<{ ]')
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_STATUS_OF: Final = {code: status for status, code in ERRORS.values()}
_FOR_SUPPORT: Final = ("errorDescription", "paymentIntegratorErrorIdentifier")
_LONGEST_CODE: Final = 10


def _none(wrong: Callable[[Exchange], bool], said: str, play: GooglePlay) -> None:
    """See that no answer of the run is wrong in some way.

    :param said: what is wrong, behind the number of the answers.
    """
    found = [one for one in play.said() if wrong(one)]
    if found:
        first = found[0]
        where = f"{first.request.method} {first.request.uri}, HTTP {first.response.status}"
        raise Failed(f"{len(found)} answers {said}; the first one: {where}")


def _opened(one: Exchange) -> bool:
    return bool(one.expected)


def _is_error(one: Exchange) -> bool:
    return one.response.status != 200 and _opened(one)


def _lacks_a_time(one: Exchange) -> bool:
    return _opened(one) and not _STAMP.fullmatch(stamp_of(read_object(one.expected)))


def _is_stale(one: Exchange) -> bool:
    stamp = stamp_of(read_object(one.expected))
    if not _STAMP.fullmatch(stamp):
        return False
    off = _EPOCH + timedelta(milliseconds=int(stamp)) - one.at
    return not -_FRESH < off < _FRESH + timedelta(seconds=one.response.seconds)


def _lacks_support(one: Exchange) -> bool:
    members = read_object(one.expected)
    return _is_error(one) and not all(
        isinstance(members.get(name), str) and members[name] for name in _FOR_SUPPORT
    )


def _has_another_result(one: Exchange) -> bool:
    if one.response.status != 200:
        return False
    if one.request.uri.endswith(f"/{Api.VERIFY}"):
        return one.code not in VERIFY_RESULTS
    known = _RESULT.fullmatch(one.code) and one.code != "UNKNOWN_RESULT"
    return one.request.uri.endswith(f"/{Api.SEND}") and not known


def _is_failure(one: Exchange) -> bool:
    for_now = one.response.status == 503 and one.response.header("retry-after")
    return one.response.status >= 500 and not for_now


def _may_be_stored(one: Exchange) -> bool:
    stored = "no-store" not in one.response.header("cache-control").lower()
    return bool(one.response.header("set-cookie")) or (bool(one.response.body) and stored)


_ROWS: Final[tuple[tuple[str, str, str, Callable[[Exchange], bool], str, Severity], ...]] = (
    (
        "results-sealed",
        "Every answer with HTTP 200 has a body that opens and is signed",
        "Answers are signed by the wallet and encrypted to Google.",
        lambda one: one.response.status == 200 and not _opened(one),
        "with HTTP 200 have no body that opens",
        Severity.REQUIRED,
    ),
    (
        "errors-sealed",
        "Every other answer has no body, or one that opens and is signed",
        "Errors are sealed as results are; who is not authenticated gets no body.",
        lambda one: one.response.status != 200 and not one.verified,
        "have a body that does not open",
        Severity.REQUIRED,
    ),
    (
        "clear-text",
        "No body is in clear text",
        "Bodies are encrypted.",
        lambda one: _CLEAR.search(one.response.body) is not None,
        "are in clear text",
        Severity.REQUIRED,
    ),
    (
        "time-form",
        "Every payload has a responseTimestamp: a text of digits, in milliseconds",
        "responseHeader is required in all answers.",
        _lacks_a_time,
        "have no responseTimestamp, or one in another form",
        Severity.REQUIRED,
    ),
    (
        "fresh",
        "Every responseTimestamp is the time of its answer",
        "A responseTimestamp is within 60 seconds of the real time.",
        _is_stale,
        "have another time than that of the answer",
        Severity.REQUIRED,
    ),
    (
        "error-status",
        "Every errorResponseCode is one of the list, with the HTTP status of the list",
        "Each code of ErrorResponseCode has its HTTP status.",
        lambda one: _is_error(one) and _STATUS_OF.get(one.code) != one.response.status,
        "have an errorResponseCode that is not listed, or another status",
        Severity.REQUIRED,
    ),
    (
        "error-members",
        "Every ErrorResponse has an errorDescription and a paymentIntegratorErrorIdentifier",
        "Both are for support, and optional: what is wrong, and where to find it in the logs.",
        _lacks_support,
        f"lack one of {' and '.join(_FOR_SUPPORT)}",
        Severity.RECOMMENDED,
    ),
    (
        "results",
        "Every result is one of the lists, and never UNKNOWN_RESULT",
        "VerifyOtpResultCode is complete; SendOtpResultCode may have further values.",
        _has_another_result,
        "have another result",
        Severity.REQUIRED,
    ),
    (
        "no-failure",
        "No answer is a failure of the server",
        "What a caller sends is refused by a code; 503 with Retry-After is for too much traffic.",
        _is_failure,
        "are a failure of the server",
        Severity.REQUIRED,
    ),
    (
        "not-stored",
        "Every body has Cache-Control: no-store, and no answer sets a cookie",
        "What is said to one caller is kept by nobody between (OWASP ASVS 5.0, 14.3.2).",
        _may_be_stored,
        "may be stored, or set a cookie",
        Severity.RECOMMENDED,
    ),
)
for _name, _title, _rule, _wrong, _said, _severity in _ROWS:
    CASES.add(f"answers.{_name}", _title, _rule, severity=_severity, users=0, last=True)(
        partial(_none, _wrong, _said)
    )


@CASES.add(
    "answers.media-type",
    "Every sealed body has the Content-Type of its envelope",
    "JOSE is application/jose, PGP is application/octet-stream.",
    users=0,
    last=True,
)
def media_type(play: GooglePlay) -> None:
    """Look at the Content-Type of all answers whose body opens."""
    wanted = play.posted(Api.ECHO, b"").header("content-type").partition(";")[0]

    def differs(one: Exchange) -> bool:
        found = one.response.header("content-type").partition(";")[0].strip().lower()
        return _opened(one) and found != wanted

    _none(differs, f"have another Content-Type than {wanted}", play)


@CASES.add(
    "answers.no-secret",
    "No answer holds a code, a phone number or an associationId",
    "The code travels by the message only; an answer says nothing of the user.",
    source=written("ErrorResponse, errorDescription: nothing sensitive"),
    users=0,
    last=True,
)
def no_secret(play: GooglePlay) -> None:
    """Look for all codes and users in all payloads, bodies and headers."""
    asked = b"".join(one.signed for one in play.said()).decode("utf-8", "replace")
    secrets = {secret.lstrip("+") for secret in play.bench.secrets}
    codes = {one for one in secrets if len(one) <= _LONGEST_CODE}
    users = {one for one in secrets - codes if one in asked}

    def tells(one: Exchange) -> bool:
        return any(
            not codes.isdisjoint(_WORDS.findall(text)) or any(user in text for user in users)
            for text in _texts(one)
        )

    _none(tells, "hold a code or the name of a user", play)


def _texts(one: Exchange) -> Iterator[str]:
    yield one.expected.decode("utf-8", "replace")
    yield one.response.body.decode("latin-1")
    for _, value in one.response.headers:
        yield value


@CASES.add(
    "answers.in-time",
    "Every answer comes within 5 seconds",
    "A wallet that is slower counts as down.",
    source=_SLA,
    users=0,
    last=True,
)
def in_time(play: GooglePlay) -> None:
    """Look at how long all answers took."""
    limit = play.limits.answer_seconds
    _none(lambda one: one.response.seconds > limit, f"took longer than {limit:g} s", play)


@CASES.add(
    "answers.mostly-fast",
    "90 % of the answers come within 3 seconds",
    "A wallet that is slower breaks what is agreed.",
    source=_SLA,
    severity=Severity.RECOMMENDED,
    users=0,
    last=True,
)
def mostly_fast(play: GooglePlay) -> None:
    """Count the answers that took longer."""
    said = play.said()
    slow = sum(one.response.seconds > 3 for one in said)
    play.check(10 * slow <= len(said), f"{slow} of {len(said)} answers took longer than 3 s")
