"""Cases of floods: many wrong requests are answered, and do not keep others from their answers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from flask_otp_mpp.conformance.case import SIGNED, Group, Need, Severity, Source
from flask_otp_mpp.conformance.signed.answer import Answer
from flask_otp_mpp.conformance.signed.dialect import Api, Means
from flask_otp_mpp.conformance.signed.play import SignedCases, SignedPlay, Signing
from flask_otp_mpp.conformance.wire import Request

_MANY: Final = 200
_AT_ONCE: Final = 16
_SOON_SECONDS: Final = 60
"""How long after a flood a right request may be refused for traffic."""
_READING: Final = "Each is answered for what it is, or refused for traffic: U, or a 429."

CASES: Final = SignedCases(
    Group.FLOODS, SIGNED, Source("Alipay+ and AMS API overview", "none", _READING)
)


def _flood(play: SignedPlay, requests: Sequence[Request]) -> list[Answer]:
    """Deliver requests as fast as some connections can."""

    def deliver(some: Sequence[Request]) -> list[Answer]:
        return [play.deliver(request, patient=False) for request in some]

    shares = [requests[number::_AT_ONCE] for number in range(_AT_ONCE)]
    delivered = play.at_once([partial(deliver, share) for share in shares if share])
    return [answer for some in delivered for answer in some]


def _bad_signatures(play: SignedPlay) -> list[Request]:
    how = Signing(covers=lambda text: text + b" ")
    return [play.request(Api.SEND, play.fields(Api.SEND), how) for _ in range(_MANY)]


def _refused_for_traffic(play: SignedPlay, answer: Answer) -> bool:
    return answer.response.status == 429 or answer.code in play.dialect.codes[Means.TRAFFIC]


def _expect_all(play: SignedPlay, answers: Sequence[Answer], means: Means) -> None:
    for answer in answers:
        if not _refused_for_traffic(play, answer):
            play.expect(answer, means)


def _until_served(play: SignedPlay, request: Request) -> Answer:
    """Deliver a request until it is not refused for traffic, for some time."""
    end = time.monotonic() + _SOON_SECONDS
    answer = play.deliver(request)
    while _refused_for_traffic(play, answer) and time.monotonic() < end:
        time.sleep(1)
        answer = play.deliver(request)
    return answer


@CASES.add(
    "floods.bad-signatures",
    f"{_MANY} requests with bad signatures have the documented answer, each",
    "A flood of forged requests is refused, and nothing breaks.",
    alone=True,
)
def bad_signatures(play: SignedPlay) -> None:
    """Forge many requests."""
    _expect_all(play, _flood(play, _bad_signatures(play)), Means.BAD_SIGNATURE)


@CASES.add(
    "floods.bad-signatures-in-time",
    f"{_MANY} requests with bad signatures are answered in the time that is allowed",
    "Forged requests are refused fast.",
    severity=Severity.RECOMMENDED,
    alone=True,
)
def bad_signatures_in_time(play: SignedPlay) -> None:
    """Forge many requests; look at the slowest answer."""
    answers = _flood(play, _bad_signatures(play))
    slowest = max(one.response.seconds for one in answers)
    allowed = play.limits.answer_seconds
    play.check(slowest <= allowed, f"an answer took {slowest:.1f} s; {allowed:g} s are allowed")


@CASES.add(
    "floods.right-request-after",
    f"A right request succeeds soon after {_MANY} with bad signatures",
    "Forged requests do not use up what a real client may do.",
    source=Source("Alipay+ and AMS API overview", "none", f"Within {_SOON_SECONDS} seconds."),
    alone=True,
)
def right_request_after(play: SignedPlay) -> None:
    """Forge many requests; then send."""
    _flood(play, _bad_signatures(play))
    answer = _until_served(play, play.request(Api.SEND, play.fields(Api.SEND)))
    play.expect(answer, Means.SUCCESS)


@CASES.add(
    "floods.unknown-clients",
    f"{_MANY} requests of clients that do not exist have the documented answer, each",
    "A flood of unknown clients is refused, whatever they call themselves.",
    alone=True,
)
def unknown_clients(play: SignedPlay) -> None:
    """Call under many names."""
    body = play.fields(Api.SEND)
    clients = [replace(play.client, id=play.unknown_challenge()) for _ in range(_MANY)]
    requests = [play.request(Api.SEND, body, Signing(client=one)) for one in clients]
    _expect_all(play, _flood(play, requests), Means.CLIENT_UNKNOWN)


@CASES.add(
    "floods.wrong-codes",
    "A user passes while wrong codes are presented for another one",
    "What is done to one user does not disturb another one.",
    Need.CODES,
    users=2,
    alone=True,
)
def wrong_codes(play: SignedPlay) -> None:
    """Send to two users; flood the first one's challenge while the second one passes."""
    first, second = play.sent(), play.sent(play.second_user)
    wrong = [
        play.fields(Api.VERIFY, challenge=first.challenge, code=play.wrong(first.code, number))
        for number in range(1, _MANY + 1)
    ]
    flood = [play.request(Api.VERIFY, one) for one in wrong]
    right = play.fields(Api.VERIFY, play.second_user, challenge=second.challenge, code=second.code)
    flood.insert(_MANY // 2, play.request(Api.VERIFY, right))
    answers = _flood(play, flood)
    request = flood[_MANY // 2]
    answer = next(one for one in answers if one.exchange.request is request)
    if _refused_for_traffic(play, answer):
        answer = _until_served(play, request)
    play.expect(answer, Means.SUCCESS)
