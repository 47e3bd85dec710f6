"""Cases of repeats: a caller that has lost an answer asks again, with the same bytes."""

from __future__ import annotations

from typing import Final

from flask_otp_mpp.conformance.case import SIGNED, Group, Need, Severity, Skipped, Source
from flask_otp_mpp.conformance.signed.answer import Answer
from flask_otp_mpp.conformance.signed.dialect import Api, Means
from flask_otp_mpp.conformance.signed.play import SignedCases, SignedPlay

_REPEAT: Final = Source(
    "Alipay+ and AMS API overview",
    "none",
    "A byte-identical request within the freshness window gets the first answer again.",
)

CASES: Final = SignedCases(Group.REPEATS, SIGNED, _REPEAT)


def see_same(play: SignedPlay, first: Answer, second: Answer) -> None:
    """See that two answers tell the same."""
    play.check(
        second.json == first.json,
        f"{first.code} was answered first, and then {second.code or second.response.status}, "
        "or other fields",
    )


@CASES.add(
    "repeats.send-same-answer",
    "A byte-identical send has the same answer",
    "A caller whose answer was lost learns it by a repeat.",
    severity=Severity.RECOMMENDED,
)
def send_same_answer(play: SignedPlay) -> None:
    """Deliver a signed send twice."""
    request = play.request(Api.SEND, play.fields(Api.SEND))
    first = play.deliver(request)
    play.expect(first, Means.SUCCESS)
    see_same(play, first, play.deliver(request))


@CASES.add(
    "repeats.send-one-message",
    "A byte-identical send sends no second message",
    "Who records a signed request can't have the user sent messages by it.",
    Need.CODES,
    source=Source("Alipay+ and AMS API overview", "none", "Any answer is accepted."),
    severity=Severity.RECOMMENDED,
)
def send_one_message(play: SignedPlay) -> None:
    """Deliver a signed send twice; look for a second message."""
    request = play.request(Api.SEND, play.fields(Api.SEND))
    waiting = play.waiting(play.user)
    play.code(waiting, play.challenge_of(play.deliver(request)))
    again = play.waiting(play.user)
    play.deliver(request)
    play.see_no_message(again)


@CASES.add(
    "repeats.send-keeps-the-code",
    "The code is accepted after a byte-identical send",
    "A repeat does not end what the first request has begun.",
    Need.CODES,
    source=Source("Alipay+ and AMS API overview", "none", "Any answer to the repeat is accepted."),
    severity=Severity.RECOMMENDED,
)
def send_keeps_the_code(play: SignedPlay) -> None:
    """Deliver a signed send twice; present the code."""
    request = play.request(Api.SEND, play.fields(Api.SEND))
    waiting = play.waiting(play.user)
    challenge = play.challenge_of(play.deliver(request))
    code = play.code(waiting, challenge)
    play.deliver(request)
    play.expect(play.verify(challenge, code), Means.SUCCESS)


@CASES.add(
    "repeats.right-code",
    "A byte-identical request with the right code has the same answer",
    "A user whose caller has lost the answer has passed.",
    Need.CODES,
    severity=Severity.RECOMMENDED,
)
def right_code(play: SignedPlay) -> None:
    """Deliver a signed verify twice."""
    sent = play.sent()
    fields = play.fields(Api.VERIFY, challenge=sent.challenge, code=sent.code)
    request = play.request(Api.VERIFY, fields)
    first = play.deliver(request)
    play.expect(first, Means.SUCCESS)
    see_same(play, first, play.deliver(request))


@CASES.add(
    "repeats.wrong-code",
    "A byte-identical request with a wrong code is one attempt",
    "A lost answer does not cost the user a second attempt.",
    Need.CODES,
    severity=Severity.RECOMMENDED,
)
def wrong_code(play: SignedPlay) -> None:
    """Deliver a signed wrong code as often as there are attempts; present the right one."""
    if play.limits.attempts == 1:
        raise Skipped("a code has one attempt")
    sent = play.sent()
    wrong = play.wrong(sent.code)
    fields = play.fields(Api.VERIFY, challenge=sent.challenge, code=wrong)
    request = play.request(Api.VERIFY, fields)
    for _ in range(play.limits.attempts):
        play.expect(play.deliver(request), Means.WRONG_CODE)
    play.expect(play.verify(sent.challenge, sent.code), Means.SUCCESS)


@CASES.add(
    "repeats.wrong-code-twice",
    "The same wrong code, entered again, is another attempt",
    "A new request is a new attempt, though its fields are the same.",
    Need.CODES,
    source=Source("AMS verifyAuthentication", "none", "Only the bytes of a request make a repeat."),
)
def wrong_code_twice(play: SignedPlay) -> None:
    """Present one wrong code in as many requests as there are attempts; then the right one."""
    sent = play.sent()
    for _ in range(play.limits.attempts):
        play.verify(sent.challenge, play.wrong(sent.code))
    answer = play.verify(sent.challenge, sent.code)
    play.expect(answer, Means.ATTEMPTS_SPENT, Means.ID_NOT_USABLE)
