"""Cases of what works: a code is sent, and the right code proves its user."""

from __future__ import annotations

from typing import Final

from flask_otp_mpp.conformance.case import SIGNED, Group, Need, Severity, Skipped, Source, Wire
from flask_otp_mpp.conformance.signed.dialect import Api, Means
from flask_otp_mpp.conformance.signed.play import SignedCases, SignedPlay

_ALIPAYPLUS: Final = frozenset({Wire.ALIPAYPLUS})
_AMS: Final = frozenset({Wire.AMS})

CASES: Final = SignedCases(
    Group.HAPPY_PATH,
    SIGNED,
    Source(
        "Alipay+ sendOTP and verifyOTP, AMS initAuthentication and verifyAuthentication",
        "How to return the result",
    ),
)


@CASES.add(
    "happy.mobile",
    "A code is sent to the phone, and the right code is accepted",
    "A right code is answered with SUCCESS.",
    Need.CODES,
)
def by_phone(play: SignedPlay) -> None:
    """Send by the usual channel; present the code."""
    sent = play.sent()
    play.expect(play.verify(sent.challenge, sent.code), Means.SUCCESS)


@CASES.add(
    "happy.email",
    "A code is sent to the e-mail address, and the right code is accepted",
    "A user who has an e-mail address can be sent a code there.",
    Need.CODES,
    Need.EMAIL,
)
def by_email(play: SignedPlay) -> None:
    """Send by e-mail; present the code."""
    waiting = play.waiting(play.user)
    answer = play.call(Api.SEND, play.fields(Api.SEND, email=True))
    play.expect(answer, Means.SUCCESS)
    challenge = play.challenge_of(answer)
    play.expect(play.verify(challenge, play.code(waiting, challenge)), Means.SUCCESS)


@CASES.add(
    "happy.named-channel",
    "verifyType MOBILE is accepted",
    "MOBILE is the default, and can be named.",
    wires=_ALIPAYPLUS,
    source=Source("Alipay+ sendOTP", "Request parameters, verifyType"),
)
def named_channel(play: SignedPlay) -> None:
    """Name the default channel."""
    play.expect(play.send(verifyType="MOBILE"), Means.SUCCESS)


@CASES.add(
    "happy.challenge-id",
    "A successful send names its challenge in 1 to 64 characters",
    "verifyRequestId is returned with status S, as a string of at most 64 characters.",
    wires=_ALIPAYPLUS,
    source=Source("Alipay+ sendOTP", "Response parameters, verifyRequestId"),
)
def challenge_id(play: SignedPlay) -> None:
    """Look at the form of the id."""
    answer = play.send()
    play.expect(answer, Means.SUCCESS)
    name = answer.json.get("verifyRequestId")
    play.check(isinstance(name, str), "verifyRequestId is no string, or is missing")
    play.check(0 < len(str(name)) <= 64, f"verifyRequestId has {len(str(name))} characters")


@CASES.add(
    "happy.new-challenge-id",
    "Two challenges have two ids",
    "verifyRequestId identifies one OTP.",
    wires=_ALIPAYPLUS,
    source=Source("Alipay+ sendOTP", "Response parameters, verifyRequestId"),
    users=2,
)
def new_challenge_id(play: SignedPlay) -> None:
    """Send to two users; compare the ids."""
    first, second = play.send(), play.send(play.second_user)
    same = play.challenge_of(first) == play.challenge_of(second)
    play.check(not same, "two users were sent codes under one verifyRequestId")


@CASES.add(
    "happy.no-id-after-failure",
    "A refused send names no challenge",
    "verifyRequestId is returned with status S only.",
    wires=_ALIPAYPLUS,
    source=Source("Alipay+ sendOTP", "Response parameters, verifyRequestId"),
)
def no_id_after_failure(play: SignedPlay) -> None:
    """Have a send refused for a field."""
    answer = play.send(verifyType="LETTER")
    play.check(answer.result("resultStatus") != "S", "a send with verifyType LETTER succeeded")
    play.check(answer.json.get("verifyRequestId") is None, "a refused send was answered with an id")


@CASES.add(
    "happy.echo",
    "initAuthentication returns the id that it was called with",
    "authenticationRequestId comes back unchanged.",
    wires=_AMS,
    source=Source("AMS initAuthentication", "Response parameters"),
)
def echo(play: SignedPlay) -> None:
    """Compare the id of the answer with that of the request."""
    fields = play.fields(Api.SEND)
    answer = play.call(Api.SEND, fields)
    play.expect(answer, Means.SUCCESS)
    same = answer.json.get("authenticationRequestId") == fields["authenticationRequestId"]
    play.check(same, "the answer has no authenticationRequestId, or another one")


@CASES.add(
    "happy.longest-id",
    "An authenticationRequestId of 64 characters is accepted",
    "The merchant chooses the id, of at most 64 characters.",
    wires=_AMS,
    source=Source("AMS initAuthentication", "Request parameters, authenticationRequestId"),
)
def longest_id(play: SignedPlay) -> None:
    """Send with an id of the greatest length."""
    name = play.fields(Api.SEND)["authenticationRequestId"]
    play.expect(play.send(authenticationRequestId=f"{name:-<64}"), Means.SUCCESS)


@CASES.add(
    "happy.is-passed",
    "A right code is answered with isPassed",
    "isPassed tells that the user has passed.",
    Need.CODES,
    wires=_AMS,
    source=Source(
        "AMS verifyAuthentication",
        "Response parameters, isPassed",
        'Booleans travel as strings, so "true"; JSON\'s true is accepted as well.',
    ),
    severity=Severity.RECOMMENDED,
)
def is_passed(play: SignedPlay) -> None:
    """Look at isPassed after the right code."""
    sent = play.sent()
    answer = play.verify(sent.challenge, sent.code)
    play.expect(answer, Means.SUCCESS)
    passed = answer.json.get("isPassed")
    play.check(passed is True or passed == "true", 'isPassed is not "true" after a right code')


@CASES.add(
    "happy.is-not-passed",
    "A wrong code is not answered with isPassed true",
    "isPassed never says that a user has passed who has not.",
    Need.CODES,
    wires=_AMS,
    source=Source("AMS verifyAuthentication", "Response parameters, isPassed"),
)
def is_not_passed(play: SignedPlay) -> None:
    """Look at isPassed after a wrong code."""
    sent = play.sent()
    answer = play.verify(sent.challenge, play.wrong(sent.code))
    passed = str(answer.json.get("isPassed")).lower() == "true"
    play.check(not passed, "isPassed is true after a wrong code")


@CASES.add(
    "happy.no-false-text",
    "A wrong code is not answered with a text in isPassed",
    'The text "false" is true to a client in JavaScript or Python.',
    Need.CODES,
    wires=_AMS,
    source=Source(
        "AMS verifyAuthentication",
        "Response parameters, isPassed",
        "It is optional, so it is left out after a failure; JSON's false is accepted as well.",
    ),
    severity=Severity.RECOMMENDED,
)
def no_false_text(play: SignedPlay) -> None:
    """Look at the type of isPassed after a wrong code."""
    sent = play.sent()
    answer = play.verify(sent.challenge, play.wrong(sent.code))
    text = isinstance(answer.json.get("isPassed"), str)
    play.check(not text, "isPassed is a text after a wrong code; leave it out")


@CASES.add(
    "happy.after-a-wrong-code",
    "The right code is accepted after a wrong one",
    "A wrong code does not spend the right one while attempts are left.",
    Need.CODES,
)
def after_a_wrong_code(play: SignedPlay) -> None:
    """Present a wrong code, then the right one."""
    if play.limits.attempts == 1:
        raise Skipped("a code has one attempt")
    sent = play.sent()
    play.verify(sent.challenge, play.wrong(sent.code))
    play.expect(play.verify(sent.challenge, sent.code), Means.SUCCESS)


@CASES.add(
    "happy.again",
    "A user who has passed is sent another code, and passes again",
    "A success does not end a user's use of codes.",
    Need.CODES,
    slow=True,
)
def again(play: SignedPlay) -> None:
    """Pass twice."""
    for number in (1, 2):
        if number == 2:
            play.wait(play.limits.resend_seconds)
        sent = play.sent()
        play.expect(play.verify(sent.challenge, sent.code), Means.SUCCESS)


@CASES.add(
    "happy.digits",
    "A code has as many digits as the configuration says, and at least six",
    "A code of fewer than six digits is too easily guessed.",
    Need.CODES,
    source=Source("NIST SP 800-63B-4", "3.1.3.2"),
)
def digits(play: SignedPlay) -> None:
    """Count the digits of a code."""
    found = len(play.sent().code)
    play.check(found >= 6, f"the code has {found} digits")
    play.check(found == play.limits.digits, f"the code has {found} digits")
