"""What a store answers to threads at the same time, it could have answered one after another."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest

from flask_otp_mpp.core.challenge import Challenge
from flask_otp_mpp.core.reasons import Reason
from flask_otp_mpp.stores import MemoryStore
from flask_otp_mpp.testing import FrozenClock
from tests.linearizability.checker import explain, told
from tests.linearizability.history import in_parts
from tests.linearizability.stores import FORGET_IN_PARTS, STORES
from tests.linearizability.workload import record
from tests.services import MYSQL, POSTGRESQL, REDIS
from tests.stores.naive import NaiveStore

MANY: Final = 3000
DECISIONS: Final = {
    "sent",
    None,
    Reason.SEND_LIMITED,
    Reason.SEND_LOCKED,
    Reason.REQUEST_PENDING,
    Reason.REQUEST_CONFLICT,
    Reason.DELIVERY_REFUSED,
    Reason.CHALLENGE_UNKNOWN,
    Reason.CHALLENGE_USED,
    Reason.USED_UNMATCHED,
    Reason.CHALLENGE_CLOSED,
    Reason.CHALLENGE_EXPIRED,
    Reason.CODE_UNMATCHED,
    Reason.TRIES_SPENT,
    Reason.USER_LOCKED,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["memory", "sqlite", POSTGRESQL, MYSQL, REDIS])
def test_recorded_histories_are_linearizable(tmp_path: Path, name: str) -> None:
    """T3: some order that respects time explains every answer by the rules."""
    opening, histories = STORES[name]
    clock = FrozenClock()
    with opening(tmp_path, clock) as store:
        for number in range(histories):
            start = clock.now
            recorder = record(store, clock, number)
            history = recorder.history
            ways = [history]
            if name in FORGET_IN_PARTS:
                ways = [in_parts(history), in_parts(history, claims_apart=True)]
            explained = (explain(way, recorder.policy, start) for way in ways)
            assert any(order is not None for order in explained), told(history)


@pytest.mark.slow
def test_the_histories_are_small_and_reach_every_decision() -> None:
    """T3: at most 20 operations, of which many overlap; every reason is among their results."""
    clock = FrozenClock()
    store = MemoryStore(clock)
    reasons: set[Reason | str | None] = set()
    overlaps = 0
    for number in range(MANY):  # some decisions need luck with the threads
        history = sorted(record(store, clock, number).history, key=lambda one: one.called)
        assert len(history) <= 20
        overlaps += any(
            earlier.returned > later.called and later.thread != earlier.thread
            for earlier, later in pairwise(history)
            if "expire" not in (earlier.verb, later.verb)
        )
        for operation in history:
            if operation.verb in ("reserve", "spend"):
                found = operation.result
                reasons.add("sent" if isinstance(found, Challenge) else found.reason)
        if number >= 100 and reasons >= DECISIONS:
            break
    assert overlaps > number / 2
    assert reasons == DECISIONS


def test_a_history_of_a_store_without_a_lock_is_not_linearizable() -> None:
    """T2, T3: a history of a store without a lock has no explanation, within 200 histories."""
    clock = FrozenClock()
    store = NaiveStore(clock)

    def unexplained(number: int) -> bool:
        start = clock.now
        recorder = record(store, clock, number)
        return explain(recorder.history, recorder.policy, start) is None

    assert any(unexplained(number) for number in range(200))
