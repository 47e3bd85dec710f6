"""Cases of all answers of a run: sealed, fresh, in time, and without a secret."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from flask_otp_mpp.conformance.case import GOOGLE, Failed, Group, Severity
from flask_otp_mpp.conformance.google.dialect import ERRORS, VERIFY_RESULTS, Api, written
from flask_otp_mpp.conformance.google.play import (
    GoogleCases,
    GooglePlay,
    read_object,
    stamp_of,
)
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
_LONGEST_CODE: Final = 10


def _none(play: GooglePlay, wrong: Callable[[Exchange], bool], said: str) -> None:
    """See that no answer of the run is wrong in some way."""
    found = [one for one in play.said() if wrong(one)]
    if found:
        first = found[0]
        where = f"{first.request.method} {first.request.uri}, HTTP {first.response.status}"
        raise Failed(f"{len(found)} answers {said}; the first one: {where}")


def _opened(exchange: Exchange) -> bool:
    return bool(exchange.expected)


@CASES.add(
    "answers.results-sealed",
    "Every answer with HTTP 200 has a body that opens and is signed",
    "Answers are signed by the wallet and encrypted to Google.",
    users=0,
    last=True,
)
def results_sealed(play: GooglePlay) -> None:
    """Look at all answers with HTTP 200."""
    _none(
        play,
        lambda one: one.response.status == 200 and not _opened(one),
        "with HTTP 200 have no body that opens",
    )


@CASES.add(
    "answers.errors-sealed",
    "Every other answer has no body, or one that opens and is signed",
    "Errors are sealed as results are; who is not authenticated gets no body.",
    users=0,
    last=True,
)
def errors_sealed(play: GooglePlay) -> None:
    """Look at all answers without HTTP 200."""
    _none(
        play,
        lambda one: one.response.status != 200 and not one.verified,
        "have a body that does not open",
    )


@CASES.add(
    "answers.clear-text",
    "No body is in clear text",
    "Bodies are encrypted.",
    users=0,
    last=True,
)
def clear_text(play: GooglePlay) -> None:
    """Look for JSON and HTML."""
    _none(play, lambda one: _CLEAR.search(one.response.body) is not None, "are in clear text")


@CASES.add(
    "answers.time-form",
    "Every payload has a responseTimestamp: a text of digits, in milliseconds",
    "responseHeader is required in all answers.",
    users=0,
    last=True,
)
def time_form(play: GooglePlay) -> None:
    """Look at the responseTimestamp of all payloads."""
    _none(
        play,
        lambda one: _opened(one) and not _STAMP.fullmatch(stamp_of(read_object(one.expected))),
        "have no responseTimestamp, or one in another form",
    )


def _is_stale(one: Exchange) -> bool:
    stamp = stamp_of(read_object(one.expected))
    if not _STAMP.fullmatch(stamp):
        return False
    off = _EPOCH + timedelta(milliseconds=int(stamp)) - one.at
    return not -_FRESH < off < _FRESH + timedelta(seconds=one.response.seconds)


@CASES.add(
    "answers.fresh",
    "Every responseTimestamp is the time of its answer",
    "A responseTimestamp is within 60 seconds of the real time.",
    users=0,
    last=True,
)
def fresh(play: GooglePlay) -> None:
    """Compare all times with those of the requests."""
    _none(play, _is_stale, "have another time than that of the answer")


@CASES.add(
    "answers.media-type",
    "Every sealed body has the Content-Type of its envelope",
    "JOSE is application/jose, PGP is application/octet-stream.",
    users=0,
    last=True,
)
def media_type(play: GooglePlay) -> None:
    """Look at the Content-Type of all answers whose body opens."""
    sealer = play.side.sealer
    wanted = sealer.media_type.partition(";")[0] if sealer else ""
    _none(
        play,
        lambda one: (
            bool(one.response.body)
            and one.response.header("content-type").partition(";")[0].strip().lower() != wanted
        ),
        f"have another Content-Type than {wanted}",
    )


@CASES.add(
    "answers.error-status",
    "Every errorResponseCode is one of the list, with the HTTP status of the list",
    "Each code has its status.",
    source=written("ErrorResponseCode"),
    users=0,
    last=True,
)
def error_status(play: GooglePlay) -> None:
    """Compare the codes and statuses of all errors."""
    _none(
        play,
        lambda one: (
            one.response.status != 200
            and _opened(one)
            and _STATUS_OF.get(one.code) != one.response.status
        ),
        "have an errorResponseCode that is not listed, or another status",
    )


@CASES.add(
    "answers.error-members",
    "Every ErrorResponse has an errorDescription and a paymentIntegratorErrorIdentifier",
    "Both are for support: what is wrong, and where to find it in the logs.",
    source=written("ErrorResponse", "Both are optional."),
    severity=Severity.RECOMMENDED,
    users=0,
    last=True,
)
def error_members(play: GooglePlay) -> None:
    """Look at the members of all errors."""
    names = ("errorDescription", "paymentIntegratorErrorIdentifier")

    def lacks(one: Exchange) -> bool:
        if one.response.status == 200 or not _opened(one):
            return False
        members = read_object(one.expected)
        return not all(isinstance(members.get(name), str) and members[name] for name in names)

    _none(play, lacks, f"lack one of {' and '.join(names)}")


@CASES.add(
    "answers.results",
    "Every result is one of the lists, and never UNKNOWN_RESULT",
    "VerifyOtpResultCode is complete; SendOtpResultCode may have further values.",
    source=written("SendOtpResultCode; VerifyOtpResultCode"),
    users=0,
    last=True,
)
def results(play: GooglePlay) -> None:
    """Look at the results of all sends and attempts."""

    def unlisted(one: Exchange) -> bool:
        if one.response.status != 200:
            return False
        if one.request.uri.endswith(f"/{Api.VERIFY}"):
            return one.code not in VERIFY_RESULTS
        known = _RESULT.fullmatch(one.code) and one.code != "UNKNOWN_RESULT"
        return one.request.uri.endswith(f"/{Api.SEND}") and not known

    _none(play, unlisted, "have another result")


def _texts(one: Exchange) -> Iterator[str]:
    yield one.expected.decode("utf-8", "replace")
    yield one.response.body.decode("latin-1")
    for _, value in one.response.headers:
        yield value


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

    _none(play, tells, "hold a code or the name of a user")


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
    _none(play, lambda one: one.response.seconds > limit, f"took longer than {limit:g} s")


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


@CASES.add(
    "answers.no-failure",
    "No answer is a failure of the server",
    "Whatever a caller sends, it is refused by a code; 503 is for what is not possible now.",
    users=0,
    last=True,
)
def no_failure(play: GooglePlay) -> None:
    """Look for statuses of failure."""
    _none(play, lambda one: one.response.status >= 500, "are a failure of the server")


@CASES.add(
    "answers.not-stored",
    "Every body has Cache-Control: no-store, and no answer sets a cookie",
    "What is said to one caller is kept by nobody between.",
    source=written("none", "Good practice: OWASP ASVS 5.0, 14.3.2."),
    severity=Severity.RECOMMENDED,
    users=0,
    last=True,
)
def not_stored(play: GooglePlay) -> None:
    """Look at two headers of all answers."""
    _none(
        play,
        lambda one: (
            bool(one.response.header("set-cookie"))
            or (
                bool(one.response.body)
                and "no-store" not in one.response.header("cache-control").lower()
            )
        ),
        "may be stored, or set a cookie",
    )
