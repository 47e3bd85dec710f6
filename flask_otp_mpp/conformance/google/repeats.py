"""Cases of idempotency: the same requestId again, alike or with other parameters."""

from __future__ import annotations

import time
from typing import Any, Final

from flask_otp_mpp.conformance.case import GOOGLE, Group, Need, Severity
from flask_otp_mpp.conformance.google.answer import Answer
from flask_otp_mpp.conformance.google.dialect import Api, Means, changed, written
from flask_otp_mpp.conformance.google.play import GoogleCases, GooglePlay

CASES: Final = GoogleCases(Group.REPEATS, GOOGLE, written("Idempotency"))
_TIME: Final = "requestHeader.requestTimestamp"


def again(play: GooglePlay, api: Api, message: dict[str, Any]) -> Answer:
    """Send a message once more, with a new time, as Google does."""
    return play.call(api, changed(message, _TIME, play.stamp()))


def _alike(play: GooglePlay, first: Answer, second: Answer) -> None:
    play.check(
        second.response.status == 200 and second.business == first.business,
        "a repeat has the same fields but its time, and it had others: "
        f"HTTP {second.response.status} {second.code or 'no code'}",
    )


@CASES.add(
    "repeats.send",
    "A repeated sendOtp has the same answer but its time",
    "A request that was answered with 200 is not processed again.",
)
def send(play: GooglePlay) -> None:
    """Send the same sendOtp with a new time."""
    message = play.message(Api.SEND)
    first = play.call(Api.SEND, message)
    play.expect(first, Means.SUCCESS)
    _alike(play, first, again(play, Api.SEND, message))


@CASES.add(
    "repeats.same-bytes",
    "The same bytes of a sendOtp again have the same answer but its time",
    "A request that was answered with 200 is not processed again.",
)
def same_bytes(play: GooglePlay) -> None:
    """Send the same body twice."""
    message = play.message(Api.SEND)
    request = play.posted(Api.SEND, play.seal(message))
    first = play.deliver(request, message)
    play.expect(first, Means.SUCCESS)
    _alike(play, first, play.deliver(request, message))


@CASES.add(
    "repeats.one-message",
    "A repeated sendOtp sends no second message",
    "A request that was answered with 200 is not processed again.",
    Need.CODES,
    slow=True,
)
def one_message(play: GooglePlay) -> None:
    """Repeat a sendOtp when another message would be allowed, and look into the inbox."""
    waiting, message = play.waiting(play.user), play.message(Api.SEND)
    play.expect(play.call(Api.SEND, message), Means.SUCCESS)
    play.code(waiting, message["requestHeader"]["requestId"])
    play.wait(play.limits.resend_seconds)
    after = play.waiting(play.user)
    again(play, Api.SEND, message)
    play.see_no_message(after)


@CASES.add(
    "repeats.fresh-time",
    "The answer to a repeat has a responseTimestamp of its own",
    "A responseTimestamp is the time of its answer.",
)
def fresh_time(play: GooglePlay) -> None:
    """Repeat a sendOtp after a second."""
    message = play.message(Api.SEND)
    first = play.call(Api.SEND, message)
    time.sleep(1)
    second = again(play, Api.SEND, message)
    play.check(first.stamp != second.stamp, "both answers have the same responseTimestamp")


@CASES.add(
    "repeats.success",
    "A repeated right code is SUCCESS again, and not OTP_ALREADY_USED",
    "A request that was answered with 200 is not processed again.",
    Need.CODES,
)
def success(play: GooglePlay) -> None:
    """Verify twice under one id."""
    sent = play.sent()
    message = play.message(Api.VERIFY, sent=sent.request_id, code=sent.code)
    first = play.call(Api.VERIFY, message)
    play.expect(first, Means.SUCCESS)
    _alike(play, first, again(play, Api.VERIFY, message))


@CASES.add(
    "repeats.success-after-expiry",
    "A repeated right code is SUCCESS again when the code has expired",
    "A request that was answered with 200 is not processed again.",
    Need.CODES,
    slow=True,
)
def success_after_expiry(play: GooglePlay) -> None:
    """Verify, and repeat it after the life of the code."""
    sent = play.sent()
    message = play.message(Api.VERIFY, sent=sent.request_id, code=sent.code)
    first = play.call(Api.VERIFY, message)
    play.wait(play.limits.life_seconds)
    _alike(play, first, again(play, Api.VERIFY, message))


@CASES.add(
    "repeats.wrong-code",
    "A wrong code, repeated under one id, is one attempt",
    "A request that was answered with 200 is not processed again.",
    Need.CODES,
)
def wrong_code(play: GooglePlay) -> None:
    """Repeat a wrong code as often as there are attempts, then present the right one."""
    sent = play.sent()
    message = play.message(Api.VERIFY, sent=sent.request_id, code=play.wrong(sent.code))
    for _ in range(play.limits.attempts):
        play.expect(again(play, Api.VERIFY, message), Means.WRONG_CODE)
    play.expect(play.verify(sent.request_id, sent.code), Means.SUCCESS)


@CASES.add(
    "repeats.echo-under-the-same-id",
    "An echo under the requestId of a sendOtp is handled",
    "A requestId belongs to its method.",
)
def echo_under_the_same_id(play: GooglePlay) -> None:
    """Use the requestId of a sendOtp for an echo."""
    message = play.message(Api.SEND)
    play.call(Api.SEND, message)
    answer = play.echo(request_id=message["requestHeader"]["requestId"])
    play.expect(answer, Means.SUCCESS)


@CASES.add(
    "repeats.send-after-error",
    "A requestId that was answered by an error is free for a sendOtp that is right",
    "Anything but 200 is evaluated again.",
    severity=Severity.RECOMMENDED,
)
def send_after_error(play: GooglePlay) -> None:
    """Send with a token that is too short, then with one that is right."""
    message = play.message(Api.SEND)
    play.expect(play.call(Api.SEND, {**message, "smsMatchingToken": "A"}), Means.VALUE)
    play.expect(again(play, Api.SEND, message), Means.SUCCESS)


@CASES.add(
    "repeats.verify-after-error",
    "A requestId that was answered by 404 is free for a verifyOtp that is right",
    "Anything but 200 is evaluated again.",
    Need.CODES,
    severity=Severity.RECOMMENDED,
)
def verify_after_error(play: GooglePlay) -> None:
    """Verify an unknown send, then one that was made, under one id."""
    sent, message = play.sent(), play.message(Api.VERIFY)
    play.expect(play.call(Api.VERIFY, message), Means.IDENTIFIER)
    right = {**message, "sendOtpRequestId": sent.request_id, "otp": sent.code}
    play.expect(again(play, Api.VERIFY, right), Means.SUCCESS)


@CASES.add(
    "repeats.send-after-limit",
    "A sendOtp that came too early is handled when it comes again later",
    "Anything but 200 is evaluated again.",
    slow=True,
)
def send_after_limit(play: GooglePlay) -> None:
    """Send twice at once, and repeat the second one after the limit."""
    play.expect(play.send(), Means.SUCCESS)
    message = play.message(Api.SEND)
    play.call(Api.SEND, message)
    play.wait(play.limits.resend_seconds)
    play.expect(again(play, Api.SEND, message), Means.SUCCESS)
