"""Cases of the limits of sends: a pause between two messages, and how many there may be."""

from __future__ import annotations

from typing import Final

from flask_otp_mpp.conformance.case import SIGNED, Failed, Group, Need, Severity, Skipped, Source
from flask_otp_mpp.conformance.signed.dialect import Means
from flask_otp_mpp.conformance.signed.play import SignedCases, SignedPlay

_DOCUMENT: Final = "Alipay+ sendOTP, AMS initAuthentication"
_MANY: Final = 30
"""More messages than a user should get in half an hour."""

CASES: Final = SignedCases(
    Group.SENDS, SIGNED, Source(_DOCUMENT, "Result/Error codes, OTP_SEND_TIMES_EXCEED_LIMIT")
)


def _see_pause(play: SignedPlay) -> None:
    if play.limits.resend_seconds == 0:
        raise Skipped("the endpoint has no pause between messages")


def _see_refused(play: SignedPlay) -> None:
    """Send once more; another case looks at how that is answered.

    :raises Skipped: if it succeeds.
    """
    if play.send().code in play.dialect.codes[Means.SUCCESS]:
        raise Skipped("the second send at once was not refused")


@CASES.add(
    "sends.too-soon",
    "A second send at once is refused as one too many",
    "There is a pause between two messages to a user.",
)
def too_soon(play: SignedPlay) -> None:
    """Send twice."""
    _see_pause(play)
    play.expect(play.send(), Means.SUCCESS)
    play.expect(play.send(), Means.SEND_LIMIT)


@CASES.add(
    "sends.too-soon-sends-nothing",
    "A send that is refused as one too many sends no message",
    "A refused send has no effect.",
    Need.CODES,
)
def too_soon_sends_nothing(play: SignedPlay) -> None:
    """Send twice; look for a second message."""
    _see_pause(play)
    play.sent()
    waiting = play.waiting(play.user)
    _see_refused(play)
    play.see_no_message(waiting)


@CASES.add(
    "sends.too-soon-keeps-the-code",
    "The code before a send that is refused as one too many is accepted",
    "A refused send does not end the challenge before it.",
    Need.CODES,
)
def too_soon_keeps_the_code(play: SignedPlay) -> None:
    """Send twice; present the first code."""
    _see_pause(play)
    sent = play.sent()
    _see_refused(play)
    play.expect(play.verify(sent.challenge, sent.code), Means.SUCCESS)


@CASES.add(
    "sends.three-a-day",
    "Three sends to a user succeed, with pauses between them",
    "At least three messages a day are sent for a token.",
    source=Source("Alipay+ sendOTP", "Limits of sends"),
    slow=True,
)
def three_a_day(play: SignedPlay) -> None:
    """Send three times."""
    for number in range(3):
        if number:
            play.wait(play.limits.resend_seconds)
        play.expect(play.send(), Means.SUCCESS)


@CASES.add(
    "sends.not-without-end",
    f"Fewer than {_MANY} sends in a row succeed, whatever their pauses are",
    "Messages cost money, and may annoy: their number has a limit.",
    source=Source("OWASP ASVS 5.0", "2.4.1", f"Fewer than {_MANY}, one after the other."),
    severity=Severity.RECOMMENDED,
    slow=True,
)
def not_without_end(play: SignedPlay) -> None:
    """Send until one is refused."""
    if play.bench.target.clock is None:
        raise Skipped("it waits for many sends; let the kit move the clock")
    for _ in range(_MANY):
        answer = play.send()
        if answer.code not in play.dialect.codes[Means.SUCCESS]:
            play.expect(answer, Means.SEND_LIMIT)
            return
        play.wait(play.limits.resend_seconds)
    raise Failed(f"{_MANY} messages were sent to one user")
