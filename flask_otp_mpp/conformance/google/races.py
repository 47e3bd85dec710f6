"""Cases of requests at the same moment, and of two accounts apart."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from flask_otp_mpp.conformance.case import GOOGLE, Group, Need, Severity, Skipped, Wire
from flask_otp_mpp.conformance.google.answer import Answer, says
from flask_otp_mpp.conformance.google.dialect import Api, Means, written
from flask_otp_mpp.conformance.google.play import GoogleCases, GooglePlay

CASES: Final = GoogleCases(Group.RACES, GOOGLE, written("Method: verifyOtp, VerifyOtpResultCode"))
ISOLATION: Final = GoogleCases(
    Group.ISOLATION, GOOGLE, written("none", "What one account may do is no affair of another.")
)
_FEW: Final = 8
"""How many requests are sent at once by PGP: each starts two processes on either side."""


def _at_once(play: GooglePlay, api: Api, messages: Sequence[dict[str, Any]]) -> list[Answer]:
    """Seal all messages first, so that they arrive together."""
    requests = [(play.posted(api, play.seal(one)), one) for one in messages]
    return play.at_once([partial(play.deliver, *one) for one in requests])


def _number(play: GooglePlay, wanted: int) -> int:
    return min(wanted, _FEW) if play.bench.target.wire is Wire.GOOGLE_PGP else wanted


def _count(answers: Sequence[Answer], means: Means) -> int:
    return sum(says(answer, means) for answer in answers)


@CASES.add(
    "races.right",
    "Of 32 right codes at the same moment exactly one is SUCCESS",
    "A code proves its user once, however many requests come at once.",
    Need.CODES,
)
def right(play: GooglePlay) -> None:
    """Present the right code many times at once, each under its own id."""
    sent = play.sent()
    number = _number(play, 32)
    attempts = [
        play.message(Api.VERIFY, sent=sent.request_id, code=sent.code) for _ in range(number)
    ]
    answers = _at_once(play, Api.VERIFY, attempts)
    found = _count(answers, Means.SUCCESS)
    play.check(found == 1, f"{found} of {number} right codes were SUCCESS")


@CASES.add(
    "races.losers",
    "Of right codes at the same moment all but one are OTP_ALREADY_USED",
    "A code that was accepted is OTP_ALREADY_USED.",
    Need.CODES,
    severity=Severity.RECOMMENDED,
)
def losers(play: GooglePlay) -> None:
    """Present the right code a few times at once, each under its own id."""
    sent = play.sent()
    attempts = [play.message(Api.VERIFY, sent=sent.request_id, code=sent.code) for _ in range(4)]
    for answer in _at_once(play, Api.VERIFY, attempts):
        play.expect(answer, Means.SUCCESS, Means.USED)


@CASES.add(
    "races.wrong",
    "After 32 wrong codes at the same moment the right one is refused",
    "Attempts are counted, however many requests come at once.",
    Need.CODES,
)
def wrong(play: GooglePlay) -> None:
    """Present many wrong codes at once, then the right one."""
    sent = play.sent()
    number = max(_number(play, 32), play.limits.attempts)
    attempts = [
        play.message(Api.VERIFY, sent=sent.request_id, code=play.wrong(sent.code, one))
        for one in range(1, number + 1)
    ]
    _at_once(play, Api.VERIFY, attempts)
    answer = play.verify(sent.request_id, sent.code)
    play.expect(answer, Means.WRONG_CODE, Means.PRECONDITION)


@CASES.add(
    "races.sends",
    "Of 16 sends to a user at the same moment at most one is SUCCESS",
    "Messages are counted, however many requests come at once.",
    source=written("none", "The number of messages is the wallet's choice."),
    severity=Severity.RECOMMENDED,
)
def sends(play: GooglePlay) -> None:
    """Send many times at once, each under its own id."""
    if not play.limits.resend_seconds:
        raise Skipped("the configuration says that there is no such limit")
    number = _number(play, 16)
    answers = _at_once(play, Api.SEND, [play.message(Api.SEND) for _ in range(number)])
    found = _count(answers, Means.SUCCESS)
    play.check(found == 1, f"{found} of {number} sends were SUCCESS")


@CASES.add(
    "races.one-send",
    "The same sendOtp, 16 times at the same moment, is done once",
    "While a request is running, its repeat is 409 or has the same answer.",
    source=written("Idempotency", "409 without a body while the first one is running."),
)
def one_send(play: GooglePlay) -> None:
    """Send the same message many times at once."""
    message = play.message(Api.SEND)
    answers = _at_once(play, Api.SEND, [message] * _number(play, 16))
    done = [answer for answer in answers if not says(answer, Means.RUNNING)]
    for answer in done:
        play.expect(answer, Means.SUCCESS)
    play.check(done, "all were refused by 409")
    different = len({repr(sorted(answer.business.items())) for answer in done})
    play.check(different == 1, f"{different} different answers were given")


@CASES.add(
    "races.one-guess",
    "The same wrong code under one id, 16 times at the same moment, is one attempt",
    "While a request is running, its repeat is 409 or has the same answer.",
    Need.CODES,
    source=written("Idempotency", "409 without a body while the first one is running."),
)
def one_guess(play: GooglePlay) -> None:
    """Send the same wrong code many times at once; then use all but one of the attempts left."""
    sent = play.sent()
    message = play.message(Api.VERIFY, sent=sent.request_id, code=play.wrong(sent.code))
    _at_once(play, Api.VERIFY, [message] * _number(play, 16))
    for number in range(2, play.limits.attempts):
        play.verify(sent.request_id, play.wrong(sent.code, number))
    play.expect(play.verify(sent.request_id, sent.code), Means.SUCCESS)


@ISOLATION.add(
    "isolation.second-account",
    "The second account is served",
    "Each account has its own path and keys.",
    Need.SECOND_CLIENT,
    users=0,
)
def second_account(play: GooglePlay) -> None:
    """Send an echo as the second account."""
    play.expect(play.echo(play.second_side), Means.SUCCESS)


@ISOLATION.add(
    "isolation.send-of-another",
    "A send of one account is 404 INVALID_IDENTIFIER for another",
    "A challenge belongs to the account that has asked for it.",
    Need.SECOND_CLIENT,
    Need.CODES,
)
def send_of_another(play: GooglePlay) -> None:
    """Present the right code as the second account."""
    sent = play.sent()
    answer = play.verify(sent.request_id, sent.code, side=play.second_side)
    play.expect(answer, Means.IDENTIFIER)


@ISOLATION.add(
    "isolation.attempts",
    "Attempts of one account use up none of another",
    "A challenge belongs to the account that has asked for it.",
    Need.SECOND_CLIENT,
    Need.CODES,
)
def attempts_apart(play: GooglePlay) -> None:
    """Present wrong codes as the second account, then the right one as the first."""
    sent = play.sent()
    for number in range(1, play.limits.attempts + 1):
        play.verify(sent.request_id, play.wrong(sent.code, number), side=play.second_side)
    play.expect(play.verify(sent.request_id, sent.code), Means.SUCCESS)


@ISOLATION.add(
    "isolation.same-id",
    "Two accounts may use the same requestId",
    "A requestId belongs to its account.",
    Need.SECOND_CLIENT,
    Need.SECOND_USER,
    users=2,
)
def same_id(play: GooglePlay) -> None:
    """Send under one id as both accounts."""
    name = play.unknown_name()
    play.expect(play.send(request_id=name), Means.SUCCESS)
    answer = play.send(play.second_user, request_id=name, side=play.second_side)
    play.expect(answer, Means.SUCCESS)


def _keys_of_another(first: bool, play: GooglePlay) -> None:  # noqa: FBT001 - a value of a table
    """Send a body of one account to the path of the other."""
    sides = (play.side, play.second_side)
    by, to = sides if first else reversed(sides)
    message = play.message(Api.ECHO)
    answer = play.deliver(play.posted(Api.ECHO, play.seal(message, by), to), message, to)
    play.expect(answer, Means.ENCRYPTION, Means.SIGNATURE)


for _name, _what, _first in (
    ("keys-of-first", "of the first account is refused at the path of the second", True),
    ("keys-of-second", "of the second account is refused at the path of the first", False),
):
    ISOLATION.add(
        f"isolation.{_name}",
        f"A body {_what}",
        "Each account has its own keys.",
        Need.SECOND_CLIENT,
        users=0,
    )(partial(_keys_of_another, _first))
