"""Cases of a requestId that comes again with other parameters."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from flask_otp_mpp.conformance.case import GOOGLE, Group, Need, Severity
from flask_otp_mpp.conformance.google.dialect import Api, Means, written
from flask_otp_mpp.conformance.google.play import GoogleCases, GooglePlay
from flask_otp_mpp.conformance.google.repeats import again

CASES: Final = GoogleCases(Group.REPEATS, GOOGLE, written("Idempotency"))


def _conflicting(name: str, value: Any, play: GooglePlay) -> None:
    """Repeat a sendOtp with another value of one member."""
    message = play.message(Api.SEND)
    play.expect(play.call(Api.SEND, message), Means.SUCCESS)
    other = play.second_user if name == "accountPhoneNumber" else value
    play.expect(again(play, Api.SEND, {**message, name: other}), Means.CONFLICT)


for _name, _member, _value in (
    ("number", "accountPhoneNumber", None),
    ("token", "smsMatchingToken", "AB12345678D"),
    ("context", "otpContext", {"mandateCreation": {}}),
):
    CASES.add(
        f"repeats.other-{_name}",
        f"A sendOtp with a used requestId and another {_member} is 412 IDEMPOTENCY_VIOLATION",
        "A requestId with other parameters is a fault of the caller.",
        *([Need.NUMBER] if _value is None else []),
        users=2 if _value is None else 1,
    )(partial(_conflicting, _member, _value))


@CASES.add(
    "repeats.before-work",
    "Other parameters are 412, whatever would become of them",
    "Idempotency is checked before the work is done.",
    Need.UNKNOWN,
    source=written("none", "Our reading of the order in which the codes are listed."),
    severity=Severity.RECOMMENDED,
)
def before_work(play: GooglePlay) -> None:
    """Use a requestId again for a number that no account has."""
    message = play.message(Api.SEND)
    play.expect(play.call(Api.SEND, message), Means.SUCCESS)
    unknown = play.bench.target.states[Need.UNKNOWN].reveal()
    answer = again(play, Api.SEND, {**message, "accountPhoneNumber": unknown})
    play.expect(answer, Means.CONFLICT)


@CASES.add(
    "repeats.conflict-sends-nothing",
    "A sendOtp that is refused by 412 sends no message",
    "What is refused is not done.",
    Need.CODES,
    Need.NUMBER,
    users=2,
)
def conflict_sends_nothing(play: GooglePlay) -> None:
    """Use a requestId again for another user, and look into that user's inbox."""
    message, waiting = play.message(Api.SEND), play.waiting(play.second_user)
    play.call(Api.SEND, message)
    again(play, Api.SEND, {**message, "accountPhoneNumber": play.second_user})
    play.see_no_message(waiting)


@CASES.add(
    "repeats.other-code",
    "A verifyOtp with a used requestId and another code is 412 IDEMPOTENCY_VIOLATION",
    "A requestId with other parameters is a fault of the caller.",
    Need.CODES,
)
def other_code(play: GooglePlay) -> None:
    """Present a wrong code, then the right one under the same id."""
    sent = play.sent()
    message = play.message(Api.VERIFY, sent=sent.request_id, code=play.wrong(sent.code))
    play.expect(play.call(Api.VERIFY, message), Means.WRONG_CODE)
    play.expect(again(play, Api.VERIFY, {**message, "otp": sent.code}), Means.CONFLICT)


@CASES.add(
    "repeats.other-send",
    "A verifyOtp with a used requestId and another send is 412 IDEMPOTENCY_VIOLATION",
    "A requestId with other parameters is a fault of the caller.",
    Need.CODES,
    Need.SECOND_USER,
    users=2,
)
def other_send(play: GooglePlay) -> None:
    """Verify one send, then another one under the same id."""
    first, second = play.sent(), play.sent(play.second_user)
    message = play.message(Api.VERIFY, sent=first.request_id, code=first.code)
    play.expect(play.call(Api.VERIFY, message), Means.SUCCESS)
    other = {**message, "sendOtpRequestId": second.request_id}
    play.expect(again(play, Api.VERIFY, other), Means.CONFLICT)
