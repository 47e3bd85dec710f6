"""Cases of repeats: a caller that has lost an answer asks again, with the same bytes or id."""

from __future__ import annotations

from typing import Any, Final

from flask_otp_mpp.conformance.case import SIGNED, Group, Need, Severity, Skipped, Source, Wire
from flask_otp_mpp.conformance.signed.dialect import Api, Means
from flask_otp_mpp.conformance.signed.play import Answer, SignedCases, SignedPlay

_AMS: Final = frozenset({Wire.AMS})
_REPEAT: Final = Source(
    "Alipay+ and AMS API overview",
    "none",
    "A byte-identical request within the freshness window gets the first answer again.",
)
_KEY: Final = Source("AMS initAuthentication", "Request parameters, authenticationRequestId")

CASES: Final = SignedCases(Group.REPEATS, SIGNED, _REPEAT)


def _see_same(play: SignedPlay, first: Answer, second: Answer) -> None:
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
    _see_same(play, first, play.deliver(request))


@CASES.add(
    "repeats.send-one-message",
    "A byte-identical send sends no second message",
    "Who records a signed request can't have the user sent messages by it.",
    Need.CODES,
    source=Source("Alipay+ and AMS API overview", "none", "Any answer is accepted."),
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
    _see_same(play, first, play.deliver(request))


@CASES.add(
    "repeats.wrong-code",
    "A byte-identical request with a wrong code is one attempt",
    "A lost answer does not cost the user a second attempt.",
    Need.CODES,
    severity=Severity.RECOMMENDED,
)
def wrong_code(play: SignedPlay) -> None:
    """Deliver a signed wrong code as often as there are attempts; present the right one."""
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
    play.expect(play.verify(sent.challenge, sent.code), Means.ATTEMPTS_SPENT)


def _init_twice(play: SignedPlay, **changed: Any) -> tuple[Answer, Answer]:
    """Call initAuthentication twice with one id.

    :param changed: what the second call has otherwise.
    """
    fields = play.fields(Api.SEND)
    first = play.call(Api.SEND, fields)
    play.expect(first, Means.SUCCESS)
    return first, play.call(Api.SEND, {**fields, **changed})


@CASES.add(
    "repeats.id-same-result",
    "initAuthentication with the same id and fields has the same result",
    "The id is an idempotency key: with a final status, its result is given again.",
    wires=_AMS,
    source=_KEY,
)
def id_same_result(play: SignedPlay) -> None:
    """Call twice, each call with a signature of its own."""
    _see_same(play, *_init_twice(play))


@CASES.add(
    "repeats.id-one-message",
    "initAuthentication with the same id sends one message",
    "The id is an idempotency key: nothing is done for it twice.",
    Need.CODES,
    wires=_AMS,
    source=_KEY,
)
def id_one_message(play: SignedPlay) -> None:
    """Call twice; look for a second message."""
    waiting = play.waiting(play.user)
    fields = play.fields(Api.SEND)
    play.code(waiting, play.challenge_of(play.call(Api.SEND, fields)))
    again = play.waiting(play.user)
    play.call(Api.SEND, fields)
    play.see_no_message(again)


@CASES.add(
    "repeats.id-after-the-pause",
    "The same id has the same result when another message might be sent",
    "The result of an id is final, however long ago it was.",
    Need.CODES,
    wires=_AMS,
    source=_KEY,
    slow=True,
)
def id_after_the_pause(play: SignedPlay) -> None:
    """Call twice with the pause of messages between; look for a second message."""
    waiting = play.waiting(play.user)
    fields = play.fields(Api.SEND)
    first = play.call(Api.SEND, fields)
    play.code(waiting, play.challenge_of(first))
    play.wait(play.limits.resend_seconds)
    again = play.waiting(play.user)
    _see_same(play, first, play.call(Api.SEND, fields))
    play.see_no_message(again)


@CASES.add(
    "repeats.id-refused-stays-refused",
    "An id that was refused for the limit of sends is refused when the limit has ended",
    "F is a final status: the same id has the same result.",
    wires=_AMS,
    source=_KEY,
    slow=True,
)
def id_refused_stays_refused(play: SignedPlay) -> None:
    """Call too soon; call again with that id after the pause."""
    if play.limits.resend_seconds == 0:
        raise Skipped("the endpoint has no pause between messages")
    play.expect(play.send(), Means.SUCCESS)
    fields = play.fields(Api.SEND)
    play.expect(play.call(Api.SEND, fields), Means.SEND_LIMIT)
    play.wait(play.limits.resend_seconds)
    play.expect(play.call(Api.SEND, fields), Means.SEND_LIMIT)


_CONFLICT: Final = Source(_KEY.document, _KEY.section, "PARAM_ILLEGAL; any F is accepted as well.")


def _see_refused(play: SignedPlay, answer: Answer) -> None:
    status = answer.result("resultStatus")
    play.check(status == "F", f"{answer.code or answer.response.status} was answered")


@CASES.add(
    "repeats.id-other-channel",
    "The same id with another channel is an error",
    "An idempotency key stands for one request.",
    wires=_AMS,
    source=_CONFLICT,
)
def id_other_channel(play: SignedPlay) -> None:
    """Call by SMS, then by e-mail."""
    _see_refused(play, _init_twice(play, authenticationChannelType="EMAIL")[1])


@CASES.add(
    "repeats.id-other-user",
    "The same id with another user is an error",
    "An idempotency key stands for one request.",
    wires=_AMS,
    source=_CONFLICT,
    users=2,
)
def id_other_user(play: SignedPlay) -> None:
    """Call for a user, then for another one."""
    _see_refused(play, _init_twice(play, userIdentityValue=play.second_user)[1])


@CASES.add(
    "repeats.id-stays-with-its-user",
    "The code of an id is accepted after another user was named with it",
    "A refused repeat does not end what the first request has begun.",
    Need.CODES,
    wires=_AMS,
    source=_CONFLICT,
    users=2,
)
def id_stays_with_its_user(play: SignedPlay) -> None:
    """Call for a user, then for another one; present the first one's code."""
    sent = play.sent()
    play.send(play.second_user, authenticationRequestId=sent.challenge)
    play.expect(play.verify(sent.challenge, sent.code), Means.SUCCESS)
