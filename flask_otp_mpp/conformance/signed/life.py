"""Cases of a challenge's life: a code opens it once, within its time, until another is sent."""

from __future__ import annotations

from typing import Final

from flask_otp_mpp.conformance.case import SIGNED, Group, Need, Severity, Skipped, Source
from flask_otp_mpp.conformance.signed.dialect import Api, Means
from flask_otp_mpp.conformance.signed.play import SignedCases, SignedPlay

_DOCUMENT: Final = "Alipay+ verifyOTP, AMS verifyAuthentication"
_BEFORE_THE_END: Final = 10
"""How many seconds before its end a code must be accepted."""

CASES: Final = SignedCases(Group.LIFE, SIGNED, Source(_DOCUMENT, "Result/Error codes"))


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
    "life.used-and-wrong",
    "A wrong code for a challenge that is used has the same answer as the right one",
    "Who has not the code learns nothing from a challenge that is over.",
    Need.CODES,
    source=Source(_DOCUMENT, "none", "The id is not usable, whatever the code is."),
    severity=Severity.RECOMMENDED,
)
def used_and_wrong(play: SignedPlay) -> None:
    """Pass; then present a wrong code."""
    sent = play.sent()
    play.expect(play.verify(sent.challenge, sent.code), Means.SUCCESS)
    play.expect(play.verify(sent.challenge, play.wrong(sent.code)), Means.ID_NOT_USABLE)


@CASES.add(
    "life.unknown",
    "A code for an id that was never given is refused",
    "An unknown id has a result code of its own.",
)
def unknown(play: SignedPlay) -> None:
    """Present a code for a random id."""
    play.expect(play.verify(play.unknown_challenge(), "123456"), Means.ID_NOT_USABLE)


@CASES.add(
    "life.almost-the-id",
    "The right code is refused for an id that is almost that of the challenge",
    "An id is compared as it is written, in its whole length.",
    Need.CODES,
    source=Source(_DOCUMENT, "Request parameters", "PARAM_ILLEGAL is accepted as well."),
)
def almost_the_id(play: SignedPlay) -> None:
    """Change the case of the id, add a space, leave out its last character."""
    sent = play.sent()
    name = sent.challenge
    for almost in {name.swapcase(), f"{name} "[:64], name[:-1]} - {name, ""}:
        play.expect(play.verify(almost, sent.code), Means.ID_NOT_USABLE, Means.PARAMETER)


@CASES.add(
    "life.pattern-for-the-id",
    "The right code is refused for a pattern that fits every id",
    "An id is a value, no pattern and no part of a statement.",
    Need.CODES,
    source=Source(_DOCUMENT, "Request parameters", "PARAM_ILLEGAL is accepted as well."),
)
def pattern_for_the_id(play: SignedPlay) -> None:
    """Name the challenge by wildcards and by SQL."""
    sent = play.sent()
    for pattern in ("%", "*", ".*", "' OR ''='", "../*", "\x00"):
        play.expect(play.verify(pattern, sent.code), Means.ID_NOT_USABLE, Means.PARAMETER)


@CASES.add(
    "life.just-before-its-end",
    f"A code is accepted {_BEFORE_THE_END} seconds before its time is over",
    "A code is accepted during all of its life.",
    Need.CODES,
    slow=True,
)
def just_before_its_end(play: SignedPlay) -> None:
    """Present the right code shortly before the end of its life."""
    sent = play.sent()
    play.wait(max(0, play.limits.life_seconds - _BEFORE_THE_END))
    play.expect(play.verify(sent.challenge, sent.code), Means.SUCCESS)


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
    "life.not-longer-by-attempts",
    "An attempt does not put off the end of a code",
    "A code's life begins when it is sent.",
    Need.CODES,
    slow=True,
)
def not_longer_by_attempts(play: SignedPlay) -> None:
    """Present a wrong code in the middle of the life, the right one after it."""
    sent = play.sent()
    play.wait(play.limits.life_seconds / 2)
    play.verify(sent.challenge, play.wrong(sent.code))
    play.wait(play.limits.life_seconds / 2)
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


@CASES.add(
    "life.newest",
    "The newest code is accepted",
    "A user who asks again enters the code of the newest message.",
    Need.CODES,
    slow=True,
)
def newest(play: SignedPlay) -> None:
    """Send twice; present the second code."""
    play.sent()
    play.wait(play.limits.resend_seconds)
    second = play.sent()
    play.expect(play.verify(second.challenge, second.code), Means.SUCCESS)


@CASES.add(
    "life.used-for-a-new-one",
    "A used code does not open the next challenge",
    "A code proves its user once, at one challenge.",
    Need.CODES,
    slow=True,
)
def used_for_a_new_one(play: SignedPlay) -> None:
    """Pass; send again; present the used code for the new challenge."""
    first = play.sent()
    play.expect(play.verify(first.challenge, first.code), Means.SUCCESS)
    play.wait(play.limits.resend_seconds)
    second = play.sent()
    if second.code == first.code:
        raise Skipped("the second code is the same as the first one")
    play.expect(play.verify(second.challenge, first.code), Means.WRONG_CODE)


@CASES.add(
    "life.after-an-illegal-send",
    "A send that is refused for a field does not end the challenge before it",
    "A refused request changes nothing.",
    Need.CODES,
)
def after_an_illegal_send(play: SignedPlay) -> None:
    """Send; send with an illegal field; present the first code."""
    sent = play.sent()
    channel = next(field for field in play.dialect.fields[Api.SEND] if len(field.values) > 1)
    play.call(Api.SEND, {**play.fields(Api.SEND), channel.name: "LETTER"})
    play.expect(play.verify(sent.challenge, sent.code), Means.SUCCESS)
