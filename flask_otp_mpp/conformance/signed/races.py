"""Cases of races: requests that arrive at the same moment are decided one after the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import partial
from typing import Final

from flask_otp_mpp.conformance.case import SIGNED, Group, Need, Severity, Skipped, Source, Wire
from flask_otp_mpp.conformance.signed.answer import Answer, Sent
from flask_otp_mpp.conformance.signed.dialect import UNDECIDED, Api, Means
from flask_otp_mpp.conformance.signed.play import SignedCases, SignedPlay
from flask_otp_mpp.conformance.wire import Request

_ALIPAYPLUS: Final = frozenset({Wire.ALIPAYPLUS})
_AMS: Final = frozenset({Wire.AMS})
_MANY: Final = 32
_SENDS: Final = 16
_REPEATS: Final = 8

CASES: Final = SignedCases(
    Group.RACES, SIGNED, Source("Alipay+ verifyOTP, AMS verifyAuthentication", "Result/Error codes")
)


def _at_once(play: SignedPlay, requests: Iterable[Request]) -> list[Answer]:
    return play.at_once([partial(play.deliver, request) for request in requests])


def _attempts(play: SignedPlay, sent: Sent, codes: Iterable[str]) -> list[Answer]:
    """Present codes at once, each in a request of its own."""
    fields = [play.fields(Api.VERIFY, challenge=sent.challenge, code=code) for code in codes]
    return _at_once(play, [play.request(Api.VERIFY, one) for one in fields])


def _count(play: SignedPlay, answers: Iterable[Answer], means: Means) -> int:
    return sum(answer.code in play.dialect.codes[means] for answer in answers)


def _told(answers: Iterable[Answer]) -> str:
    counted = Counter(one.code or f"HTTP {one.response.status}" for one in answers)
    return ", ".join(f"{number} x {code}" for code, number in sorted(counted.items()))


def _expect_all(play: SignedPlay, answers: Iterable[Answer], *means: Means) -> None:
    """See that all answers are of these meanings, or not decided, where the caller asks again."""
    for answer in answers:
        play.expect(answer, *means, *UNDECIDED)


@CASES.add(
    "races.right-codes",
    f"Of {_MANY} right codes at the same moment, one is accepted",
    "A code proves its user once, whoever asks at the same time.",
    Need.CODES,
)
def right_codes(play: SignedPlay) -> None:
    """Present the right code in many requests at once."""
    sent = play.sent()
    answers = _attempts(play, sent, [sent.code] * _MANY)
    passed = _count(play, answers, Means.SUCCESS)
    play.check(passed == 1, f"one SUCCESS was expected; answered: {_told(answers)}")


@CASES.add(
    "races.wrong-codes",
    f"Of {_MANY} wrong codes at the same moment, no more are compared than there are attempts",
    "The limit of attempts holds at any number of requests at a time.",
    Need.CODES,
)
def wrong_codes(play: SignedPlay) -> None:
    """Present many wrong codes at once."""
    sent = play.sent()
    wrong = [play.wrong(sent.code, number) for number in range(1, _MANY + 1)]
    answers = _attempts(play, sent, wrong)
    compared = _count(play, answers, Means.WRONG_CODE)
    allowed = play.limits.attempts
    play.check(compared <= allowed, f"{allowed} attempts are allowed; answered: {_told(answers)}")


@CASES.add(
    "races.wrong-codes-count",
    f"The right code is refused after {_MANY} wrong ones at the same moment",
    "Attempts at the same moment are counted, each of them.",
    Need.CODES,
)
def wrong_codes_count(play: SignedPlay) -> None:
    """Present many wrong codes at once, then the right one."""
    sent = play.sent()
    _attempts(play, sent, [play.wrong(sent.code, number) for number in range(1, _MANY + 1)])
    answer = play.verify(sent.challenge, sent.code)
    play.expect(answer, Means.ATTEMPTS_SPENT, Means.ID_NOT_USABLE)


@CASES.add(
    "races.right-among-wrong",
    "A right code is accepted once among wrong ones at the same moment",
    "Attempts at the same moment lose neither the success nor the count.",
    Need.CODES,
)
def right_among_wrong(play: SignedPlay) -> None:
    """Present the right code, and wrong ones at all attempts but one; then the right one again."""
    sent = play.sent()
    wrong = [play.wrong(sent.code, number) for number in range(1, play.limits.attempts)]
    middle = len(wrong) // 2
    answers = _attempts(play, sent, [*wrong[:middle], sent.code, *wrong[middle:]])
    passed = _count(play, answers, Means.SUCCESS)
    play.check(passed == 1, f"one SUCCESS was expected; answered: {_told(answers)}")
    again = play.verify(sent.challenge, sent.code)
    play.expect(again, Means.ID_NOT_USABLE, Means.ATTEMPTS_SPENT)


@CASES.add(
    "races.sends",
    f"Of {_SENDS} sends to a user at the same moment, one succeeds at most",
    "The pause between messages holds at any number of requests at a time.",
    source=Source("Alipay+ sendOTP, AMS initAuthentication", "Result/Error codes"),
)
def sends(play: SignedPlay) -> None:
    """Send many times at once."""
    if play.limits.resend_seconds == 0:
        raise Skipped("the endpoint has no pause between messages")
    requests = [play.request(Api.SEND, play.fields(Api.SEND)) for _ in range(_SENDS)]
    answers = _at_once(play, requests)
    passed = _count(play, answers, Means.SUCCESS)
    play.check(passed <= 1, f"one SUCCESS was expected; answered: {_told(answers)}")
    _expect_all(play, answers, Means.SUCCESS, Means.SEND_LIMIT)


@CASES.add(
    "races.same-send",
    f"{_REPEATS} byte-identical sends at the same moment open one challenge",
    "A request that arrives several times is done once.",
    wires=_ALIPAYPLUS,
    source=Source(
        "Alipay+ and AMS API overview", "none", "Each repeat may be refused, or have no answer yet."
    ),
    severity=Severity.RECOMMENDED,
)
def same_send(play: SignedPlay) -> None:
    """Deliver one signed send many times at once."""
    request = play.request(Api.SEND, play.fields(Api.SEND))
    answers = _at_once(play, [request] * _REPEATS)
    passed = [one for one in answers if one.code in play.dialect.codes[Means.SUCCESS]]
    opened = {play.challenge_of(one) for one in passed}
    play.check(len(opened) == 1, f"{len(opened)} challenges were opened; {_told(answers)}")


@CASES.add(
    "races.same-right-code",
    f"{_REPEATS} byte-identical requests with the right code at the same moment succeed",
    "A request that arrives several times is done once, and its user has passed.",
    Need.CODES,
    source=Source(
        "Alipay+ and AMS API overview", "none", "One or more of them succeed; no other is wrong."
    ),
)
def same_right_code(play: SignedPlay) -> None:
    """Deliver one signed verify many times at once."""
    sent = play.sent()
    fields = play.fields(Api.VERIFY, challenge=sent.challenge, code=sent.code)
    answers = _at_once(play, [play.request(Api.VERIFY, fields)] * _REPEATS)
    play.check(_count(play, answers, Means.SUCCESS), f"none succeeded: {_told(answers)}")
    _expect_all(play, answers, Means.SUCCESS, Means.ID_NOT_USABLE)


@CASES.add(
    "races.same-id",
    f"{_REPEATS} calls of initAuthentication with one id at the same moment send one code",
    "The id is an idempotency key at any number of requests at a time.",
    Need.CODES,
    wires=_AMS,
    source=Source("AMS initAuthentication", "Request parameters, authenticationRequestId"),
)
def same_id(play: SignedPlay) -> None:
    """Call many times at once, each with a signature of its own; present the code."""
    waiting = play.waiting(play.user)
    fields = play.fields(Api.SEND)
    answers = _at_once(play, [play.request(Api.SEND, fields) for _ in range(_REPEATS)])
    _expect_all(play, answers, Means.SUCCESS)
    challenge = fields["authenticationRequestId"]
    code = play.code(waiting, challenge)
    play.see_no_message(play.waiting(play.user))
    play.expect(play.verify(challenge, code), Means.SUCCESS)


@CASES.add(
    "races.users-apart",
    "Users who are sent codes at the same moment pass, each with the own code",
    "Requests of several users do not mix.",
    Need.CODES,
    users=4,
)
def users_apart(play: SignedPlay) -> None:
    """Send to some users at once; let each present the code at once."""
    opened = play.at_once([partial(play.sent, user) for user in play.users])
    attempts = [
        partial(play.verify, sent.challenge, sent.code, user)
        for sent, user in zip(opened, play.users, strict=True)
    ]
    answers = play.at_once(attempts)
    passed = _count(play, answers, Means.SUCCESS)
    play.check(passed == len(answers), f"each was to succeed; answered: {_told(answers)}")
