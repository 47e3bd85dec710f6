"""Cases of users: whose number or association gets a code, and what is said of the others."""

from __future__ import annotations

from functools import partial
from typing import Final

from flask_otp_mpp.conformance.case import GOOGLE, Group, Need, Severity
from flask_otp_mpp.conformance.google.dialect import Means, written
from flask_otp_mpp.conformance.google.play import GoogleCases, GooglePlay

CASES: Final = GoogleCases(Group.USERS, GOOGLE, written("Method: sendOtp, SendOtpResultCode"))


def _state(need: Need, means: Means, play: GooglePlay) -> None:
    play.expect(play.send(play.bench.target.states[need].reveal()), means)


for _name, _need, _means, _title in (
    (
        "unknown-number",
        Need.UNKNOWN,
        Means.NOT_ASSOCIATED,
        "A number of no account is PHONE_NUMBER_NOT_ASSOCIATED_WITH_ACCOUNT",
    ),
    (
        "closed-account",
        Need.FROZEN,
        Means.CLOSED,
        "The number of a closed account is ACCOUNT_CLOSED_FRAUD",
    ),
):
    CASES.add(
        f"users.{_name}",
        _title,
        "Why no code was sent is a result, with HTTP 200.",
        _need,
        users=0,
    )(partial(_state, _need, _means))


@CASES.add(
    "users.unknown-association",
    "An associationId that is not known is 404 INVALID_IDENTIFIER",
    "An identifier that is not known is an error.",
    source=written("ErrorResponseCode", "The result for a number of no account is accepted too."),
    users=0,
)
def unknown_association(play: GooglePlay) -> None:
    """Send for an association that nobody has."""
    answer = play.send(associationId=play.unknown_name())
    play.expect(answer, Means.IDENTIFIER, Means.NOT_ASSOCIATED)


@CASES.add(
    "users.missing",
    "An association whose user is gone gets no code",
    "The answer says that there is no such user or identifier.",
    Need.MISSING,
    source=written("SendOtpResultCode", "The result, or 404 INVALID_IDENTIFIER."),
    users=0,
)
def missing(play: GooglePlay) -> None:
    """Send for the association of a user who is gone."""
    answer = play.send(associationId=play.bench.target.states[Need.MISSING].reveal())
    play.expect(answer, Means.NOT_ASSOCIATED, Means.IDENTIFIER)


def _no_number(number: str, play: GooglePlay) -> None:
    answer = play.send(accountPhoneNumber=number)
    play.expect(answer, Means.NUMBER_INVALID, Means.NOT_ASSOCIATED, Means.VALUE)


for _name, _what, _number in (
    ("short-number", "too short for a phone number", "+15"),
    ("number-without-plus", "without its plus", "14155550100"),
    ("number-of-words", "that is none", "no number"),
    ("number-in-unicode-digits", "in Arabic-Indic digits", "+\u0661\u0664\u0661\u0665" + "5550100"),
):
    CASES.add(
        f"users.{_name}",
        f"A number {_what} gets no code",
        "accountPhoneNumber is in E.164.",
        source=written("SendOtpResultCode", "INVALID_PHONE_NUMBER, or another one of refusal."),
        severity=Severity.RECOMMENDED,
        users=0,
    )(partial(_no_number, _number))
