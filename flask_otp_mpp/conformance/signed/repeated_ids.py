"""Cases of repeated ids: an authenticationRequestId of AMS stands for one request."""

from __future__ import annotations

from typing import Any, Final

from flask_otp_mpp.conformance.case import Group, Need, Skipped, Source, Wire
from flask_otp_mpp.conformance.signed.answer import Answer
from flask_otp_mpp.conformance.signed.dialect import Api, Means
from flask_otp_mpp.conformance.signed.play import SignedCases, SignedPlay
from flask_otp_mpp.conformance.signed.repeats import see_same

_KEY: Final = Source("AMS initAuthentication", "Request parameters, authenticationRequestId")

CASES: Final = SignedCases(Group.REPEATS, frozenset({Wire.AMS}), _KEY)


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
)
def id_same_result(play: SignedPlay) -> None:
    """Call twice, each call with a signature of its own."""
    see_same(play, *_init_twice(play))


@CASES.add(
    "repeats.id-one-message",
    "initAuthentication with the same id sends one message",
    "The id is an idempotency key: nothing is done for it twice.",
    Need.CODES,
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
    see_same(play, first, play.call(Api.SEND, fields))
    play.see_no_message(again)


@CASES.add(
    "repeats.id-refused-stays-refused",
    "An id that was refused for the limit of sends is refused when the limit has ended",
    "F is a final status: the same id has the same result.",
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
    source=_CONFLICT,
)
def id_other_channel(play: SignedPlay) -> None:
    """Call by SMS, then by e-mail."""
    _see_refused(play, _init_twice(play, authenticationChannelType="EMAIL")[1])


@CASES.add(
    "repeats.id-other-user",
    "The same id with another user is an error",
    "An idempotency key stands for one request.",
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
    source=_CONFLICT,
    users=2,
)
def id_stays_with_its_user(play: SignedPlay) -> None:
    """Call for a user, then for another one; present the first one's code."""
    sent = play.sent()
    play.send(play.second_user, authenticationRequestId=sent.challenge)
    play.expect(play.verify(sent.challenge, sent.code), Means.SUCCESS)
