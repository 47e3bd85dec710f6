"""The memory of answers to strangers, and of familiar addresses, is bounded."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from flask_otp_mpp.core.reasons import Reason
from flask_otp_mpp.protocols.alipay.unproven import UnprovenAnswers
from flask_otp_mpp.signing.budget import SigningBudget
from tests.protocols.caller import CLIENT, CLOCK, PREFIX, inbound

URI = f"{PREFIX}/sendOTP"
BAD = Reason.SIGNATURE_INVALID


class Seconds:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_newest_thousand_addresses_of_clients_are_familiar() -> None:
    """X2: they have a part of the budget, which others can't empty."""
    clock = Seconds()
    budget = SigningBudget(clock)
    answers = UnprovenAnswers(bytes.hex, budget, [URI])
    for number in range(2000):
        answers.remember(CLIENT, f"192.0.2.{number}")
    while budget.known.take():
        pass

    def signed(number: int) -> bool:
        request = replace(inbound(), address=f"192.0.2.{number}")
        body = b"%d" % number
        return answers.sign(request, BAD, CLIENT, body, CLOCK.now) is not None

    assert [signed(number) for number in (0, 975, 976, 1999)] == [False, False, True, True]
    assert [answers.sign(inbound(), BAD, name, b"", CLOCK.now) for name in ("", "OTHER")] == [
        None,
        None,
    ]


def test_an_answer_is_kept_until_a_thousand_newer_ones_are_signed() -> None:
    """X2: at its rate the budget signs a few hundred in the minute for which they are of use."""
    clock = Seconds()
    asked: list[bytes] = []

    def sign(data: bytes) -> str:
        asked.append(data)
        return "signature"

    answers = UnprovenAnswers(sign, SigningBudget(clock), [URI])
    for number in (*range(1025), 1, 0):
        clock.now += 1
        assert answers.sign(inbound(), BAD, CLIENT, b"%d" % number, CLOCK.now) is not None
    assert len(asked) == 1026  # the first one had to be signed again
    later = CLOCK.now + timedelta(seconds=1)
    clock.now += 1
    answers.sign(inbound(), BAD, CLIENT, b"1", later)
    assert len(asked) == 1027
