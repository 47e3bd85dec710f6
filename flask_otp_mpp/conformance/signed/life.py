"""Cases of a challenge's life: a code opens it once, within its time, until another is sent."""

from __future__ import annotations

from typing import Final

from flask_otp_mpp.conformance.case import SIGNED, Group, Need, Source
from flask_otp_mpp.conformance.signed.dialect import Means
from flask_otp_mpp.conformance.signed.play import SignedCases, SignedPlay

CASES: Final = SignedCases(
    Group.LIFE, SIGNED, Source("Alipay+ verifyOTP, AMS verifyAuthentication", "Result/Error codes")
)


@CASES.add(
    "life.once",
    "A code that was accepted is refused afterwards",
    "A code proves its user once.",
    Need.CODES,
)
def accepted_once(play: SignedPlay) -> None:
    """Present the right code twice, in two requests."""
    sent = play.sent()
    play.expect(play.verify(sent.challenge, sent.code), Means.SUCCESS)
    play.expect(play.verify(sent.challenge, sent.code), Means.ID_NOT_USABLE)


@CASES.add(
    "life.expired",
    "A code is refused when its time is over",
    "A code has an end, and the right code is refused after it.",
    Need.CODES,
    slow=True,
)
def expired(play: SignedPlay) -> None:
    """Present the right code after its life."""
    sent = play.sent()
    play.wait(play.limits.life_seconds)
    play.expect(play.verify(sent.challenge, sent.code), Means.ID_NOT_USABLE)


@CASES.add(
    "life.superseded",
    "A newer challenge ends the older one",
    "Two codes of a user are never right at once.",
    Need.CODES,
    source=Source("none", "none", "A code that is sent again, unchanged, is accepted as well."),
    slow=True,
)
def superseded(play: SignedPlay) -> None:
    """Send twice; present the first code."""
    first = play.sent()
    play.wait(play.limits.resend_seconds)
    second = play.sent()
    if second.code != first.code:
        play.expect(play.verify(first.challenge, first.code), Means.ID_NOT_USABLE)
    play.expect(play.verify(second.challenge, second.code), Means.SUCCESS)
