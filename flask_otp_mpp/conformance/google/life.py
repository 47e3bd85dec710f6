"""Cases of codes: which one is right, how often one may guess, and how long it lives."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from flask_otp_mpp.conformance.case import GOOGLE, Group, Need, Severity, Skipped
from flask_otp_mpp.conformance.google.dialect import Api, Means, written
from flask_otp_mpp.conformance.google.play import GoogleCases, GooglePlay

_VERIFY: Final = written("Method: verifyOtp, VerifyOtpResultCode")
CODES: Final = GoogleCases(Group.CODES, GOOGLE, _VERIFY)
LIFE: Final = GoogleCases(Group.LIFE, GOOGLE, _VERIFY)
_NO_RESULT: Final = "The list of results is complete, so what can't be right is OTP_NOT_MATCHED."


@CODES.add(
    "codes.wrong",
    "A wrong code is OTP_NOT_MATCHED, with HTTP 200",
    "A wrong code is a result and no error.",
    Need.CODES,
)
def wrong(play: GooglePlay) -> None:
    """Present a wrong code."""
    sent = play.sent()
    play.expect(play.verify(sent.request_id, play.wrong(sent.code)), Means.WRONG_CODE)


@CODES.add(
    "codes.wrong-then-right",
    "A wrong code does not spoil the right one",
    "The user may correct a typing error.",
    Need.CODES,
)
def wrong_then_right(play: GooglePlay) -> None:
    """Present a wrong code, then the right one."""
    sent = play.sent()
    play.verify(sent.request_id, play.wrong(sent.code))
    play.expect(play.verify(sent.request_id, sent.code), Means.SUCCESS)


def _guess(play: GooglePlay, request_id: str, code: str, number: int) -> None:
    for one in range(1, number + 1):
        play.verify(request_id, play.wrong(code, one))


@CODES.add(
    "codes.attempts",
    "The right code is refused when the attempts are used up",
    "A code can be compared with a few guesses only.",
    Need.CODES,
    source=written("none", _NO_RESULT),
)
def attempts(play: GooglePlay) -> None:
    """Present as many wrong codes as are allowed, then the right one."""
    sent = play.sent()
    _guess(play, sent.request_id, sent.code, play.limits.attempts)
    play.expect(play.verify(sent.request_id, sent.code), Means.WRONG_CODE, Means.PRECONDITION)


@CODES.add(
    "codes.last-attempt",
    "The right code is right at the last attempt",
    "All attempts that are promised can be made.",
    Need.CODES,
    source=written("none", "The number of attempts is the wallet's choice; see limits.attempts."),
    severity=Severity.RECOMMENDED,
)
def last_attempt(play: GooglePlay) -> None:
    """Present one wrong code fewer than are allowed, then the right one."""
    sent = play.sent()
    _guess(play, sent.request_id, sent.code, play.limits.attempts - 1)
    play.expect(play.verify(sent.request_id, sent.code), Means.SUCCESS)


def _form(of: Callable[[str], str], play: GooglePlay) -> None:
    sent = play.sent()
    form = of(sent.code)
    play.bench.learned(form)
    play.expect(play.verify(sent.request_id, form), Means.WRONG_CODE, Means.VALUE)


def _in_digits_from(zero: str) -> Callable[[str], str]:
    return lambda code: "".join(chr(ord(zero) + int(digit)) for digit in code)


for _name, _what, _of in (
    ("space-before", "with a space before it", lambda code: f" {code}"),
    ("newline-behind", "with a line break behind it", lambda code: f"{code}\n"),
    ("hyphen-inside", "with a hyphen inside", lambda code: f"{code[:3]}-{code[3:]}"),
    ("digit-more", "with one more digit", lambda code: f"{code}0"),
    ("digit-less", "without its last digit", lambda code: code[:-1]),
    ("arabic-digits", "in Arabic-Indic digits", _in_digits_from("\u0660")),
    ("fullwidth-digits", "in full-width digits", _in_digits_from("\uff10")),
):
    CODES.add(
        f"codes.{_name}",
        f"The code {_what} is not right",
        "A code is compared as it is, without a normal form.",
        Need.CODES,
        source=written("Method: verifyOtp, otp", "INVALID_FIELD_VALUE is accepted as well."),
    )(partial(_form, _of))


@CODES.add(
    "codes.unknown-send",
    "A sendOtpRequestId that was never sent is 404 INVALID_IDENTIFIER",
    "An identifier that is not known is an error.",
    source=written("ErrorResponseCode"),
    users=0,
)
def unknown_send(play: GooglePlay) -> None:
    """Verify a send that was never made."""
    message = play.message(Api.VERIFY)
    play.expect(play.call(Api.VERIFY, message), Means.IDENTIFIER)


@CODES.add(
    "codes.another-users-code",
    "The code of one user is not right for the send to another",
    "A code belongs to its send.",
    Need.CODES,
    Need.SECOND_USER,
    users=2,
)
def another_users_code(play: GooglePlay) -> None:
    """Present the code of the second user for the send to the first."""
    first, second = play.sent(), play.sent(play.second_user)
    if first.code == second.code:
        raise Skipped("both users have received the same code")
    play.expect(play.verify(first.request_id, second.code), Means.WRONG_CODE)


@LIFE.add(
    "life.used",
    "A code that was accepted is OTP_ALREADY_USED under a new requestId",
    "A code proves its user once.",
    Need.CODES,
)
def used(play: GooglePlay) -> None:
    """Present the right code twice, under two ids."""
    sent = play.sent()
    play.expect(play.verify(sent.request_id, sent.code), Means.SUCCESS)
    play.expect(play.verify(sent.request_id, sent.code), Means.USED)


@LIFE.add(
    "life.wrong-after-use",
    "A wrong code is OTP_NOT_MATCHED, also after the right one was used",
    "OTP_ALREADY_USED is said to who has the code.",
    Need.CODES,
    source=written("Method: verifyOtp", "OTP_ALREADY_USED is accepted as well."),
    severity=Severity.RECOMMENDED,
)
def wrong_after_use(play: GooglePlay) -> None:
    """Present the right code, then a wrong one."""
    sent = play.sent()
    play.verify(sent.request_id, sent.code)
    answer = play.verify(sent.request_id, play.wrong(sent.code))
    play.expect(answer, Means.WRONG_CODE, Means.USED)


@LIFE.add(
    "life.expired",
    "The right code is refused when its time is over",
    "A code has an end.",
    Need.CODES,
    source=written("none", _NO_RESULT),
    slow=True,
)
def expired(play: GooglePlay) -> None:
    """Present the right code after its life."""
    sent = play.sent()
    play.wait(play.limits.life_seconds)
    play.expect(play.verify(sent.request_id, sent.code), Means.WRONG_CODE, Means.PRECONDITION)


@LIFE.add(
    "life.superseded",
    "A newer send ends the code of the older one",
    "Two codes of a user are never right at once.",
    Need.CODES,
    source=written("none", "A code that is sent again, unchanged, is accepted as well."),
    slow=True,
)
def superseded(play: GooglePlay) -> None:
    """Send twice; present the first code for the first send."""
    first = play.sent()
    play.wait(play.limits.resend_seconds)
    second = play.sent()
    if second.code != first.code:
        play.expect(play.verify(first.request_id, first.code), Means.WRONG_CODE)


@LIFE.add(
    "life.newest",
    "The code of the newest send is right",
    "A user who asks for another code can use that.",
    Need.CODES,
    slow=True,
)
def newest(play: GooglePlay) -> None:
    """Send twice; present the second code."""
    play.sent()
    play.wait(play.limits.resend_seconds)
    second = play.sent()
    play.expect(play.verify(second.request_id, second.code), Means.SUCCESS)


@LIFE.add(
    "life.send-limit",
    "A second code at once is 400 PRECONDITION_VIOLATION",
    "A user does not get any number of messages.",
    source=written("ErrorResponseCode", "The number of messages is the wallet's choice."),
    severity=Severity.RECOMMENDED,
)
def send_limit(play: GooglePlay) -> None:
    """Send twice, under two ids."""
    if not play.limits.resend_seconds:
        raise Skipped("the configuration says that there is no such limit")
    play.expect(play.send(), Means.SUCCESS)
    play.expect(play.send(), Means.PRECONDITION)
