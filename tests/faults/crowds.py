"""A crowd that asks one store while its server is killed, and insists until it is answered.

Whoever gets no answer asks the very same again, as callers do. In the end each request is answered,
so that exactly one right code has won, as many wrong ones as there are tries were judged, and as
many sends as the cap allows were granted.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any, Final
from unittest.mock import ANY

from flask_otp_mpp.core.challenge import Challenge
from flask_otp_mpp.core.policy import Policy, SendLimit
from flask_otp_mpp.core.ports import StoreError
from flask_otp_mpp.core.reasons import Outcome, Reason
from flask_otp_mpp.stores import SQLAlchemyStore
from flask_otp_mpp.testing import FrozenClock
from flask_otp_mpp.testing.contract.builders import RIGHT, WRONG, attempt, draft, opened
from flask_otp_mpp.testing.contract.race import together
from tests.linearizability.checker import explain, told
from tests.linearizability.history import Operation
from tests.linearizability.workload import record

SECONDS: Final = 60
CAP: Final = 3
POLICY: Final = Policy(cool_down=timedelta(), send_limits=(SendLimit(CAP, timedelta(hours=1)),))
RIGHT_ONES, WRONG_ONES, SENDS = 6, 12, 8


@dataclass
class Counted:
    """What was done for three users."""

    winners: int
    judged: int
    sends: int


EXACT: Final = Counted(winners=1, judged=POLICY.tries, sends=CAP)


def insist(ask: Callable[[], Any]) -> Any:
    """Ask until there is an answer."""
    end = time.monotonic() + SECONDS
    while True:
        try:
            return ask()
        except StoreError:
            assert time.monotonic() < end, "the store does not come back"
            time.sleep(0.05)


def crowd(store: SQLAlchemyStore, number: int, disturb: Callable[[], None]) -> Counted:
    """Let many verify and send for three users at once; count what was granted and judged.

    :param disturb: called while they ask.
    """
    winner, guesser, sender = (f"{name} {number}" for name in ("winner", "guesser", "sender"))
    one = insist(partial(opened, store, winner, policy=POLICY))
    two = insist(partial(opened, store, guesser, policy=POLICY))
    right = [attempt(one.id, RIGHT, subject=winner) for _ in range(RIGHT_ONES)]
    wrong = [attempt(two.id, WRONG, subject=guesser) for _ in range(WRONG_ONES)]
    sends = [draft(sender, caller=f"caller {place}") for place in range(SENDS)]

    def pausing(ask: Callable[[], Any], place: int) -> Any:
        time.sleep(0.003 * (place % 7))  # so that some are at work and some not yet, at any time
        return insist(ask)

    asked: list[Callable[[], Any]] = [
        *(partial(store.spend, claim, POLICY) for claim in (*right, *wrong)),
        *(partial(store.reserve, claim, POLICY) for claim in sends),
    ]
    work: list[Callable[[], Any]] = [
        partial(pausing, ask, place) for place, ask in enumerate(asked)
    ]
    found: list[Any] = together([*work, disturb])[:-1]
    verified, reserved = found[: len(right) + len(wrong)], found[-len(sends) :]
    return Counted(
        winners=sum(outcome.reason is None for outcome in verified[: len(right)]),
        judged=sum(outcome.reason is Reason.CODE_UNMATCHED for outcome in verified),
        sends=sum(map(_granted, reserved)),
    )


def _granted(found: Challenge | Outcome) -> bool:
    """Tell whether a send was granted, or had been when its first answer was lost."""
    return isinstance(found, Challenge) or (
        found.reason is Reason.REQUEST_PENDING and found.repeated
    )


def check_histories(
    store: SQLAlchemyStore,
    clock: FrozenClock,
    numbers: range,
    disturb: Callable[[int], None],
) -> int:
    """Record histories in which the server is disturbed, and explain each by the rules.

    A call that got no answer may have taken effect at any time since, or never.

    :param disturb: called with the number of a history, at its fourth decision.
    :returns: how many calls got no answer.
    """
    unanswered = 0
    for number in numbers:
        start = clock.now
        insist(partial(store.purge, POLICY))
        decisions: list[None] = []

        def pause(number: int = number, decisions: list[None] = decisions) -> None:
            decisions.append(None)
            if len(decisions) == 4:
                disturb(number)

        recorder = record(store, clock, number, pause)
        history = [_in_doubt(one) for one in recorder.history]
        unanswered += sum(one.result is ANY for one in history)
        assert explain(history, recorder.policy, start) is not None, told(history)
    return unanswered


def _in_doubt(one: Operation) -> Operation:
    lost = isinstance(one.result, StoreError)
    return replace(one, result=ANY, returned=float("inf")) if lost else one
