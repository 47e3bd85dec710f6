"""The checker explains a linearizable history, and no other one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from math import inf
from random import Random
from typing import Any

import pytest

from flask_otp_mpp.core.challenge import Attempt, Challenge, Draft
from flask_otp_mpp.core.idempotency import StoredAnswer
from flask_otp_mpp.core.limits import UserLimits
from flask_otp_mpp.core.policy import Resend
from flask_otp_mpp.core.ports import StoreError
from flask_otp_mpp.core.reasons import Outcome, Reason
from flask_otp_mpp.testing import FrozenClock
from flask_otp_mpp.testing.contract.builders import RIGHT, START, WRONG, attempt, draft, named
from tests.linearizability.checker import State, explain
from tests.linearizability.history import UNKNOWN, Operation, Recorder, in_parts
from tests.linearizability.workload import Send, Step, Try, policy, run
from tests.stores.naive import NaiveStore

POLICY = policy(Resend.ROTATE)
ASKED = draft()
SENT = Challenge(
    ASKED.id,
    ASKED.subject,
    ASKED.caller,
    ASKED.channel,
    ASKED.digest,
    START,
    START + POLICY.life,
    POLICY.tries,
)
RESERVED = Operation(1, "reserve", (ASKED,), SENT, 0, 1)


def tried(digest: bytes, reason: Reason | None, called: float, returned: float = inf) -> Operation:
    outcome = Outcome(ASKED.id, reason)
    return Operation(1, "spend", (attempt(ASKED.id, digest),), outcome, called, returned)


def explained(*history: Operation) -> bool:
    return explain(history, POLICY, START) is not None


def test_what_happened_in_turn_is_explained_in_its_turn() -> None:
    """T3: and in no other."""
    wrong = tried(WRONG, Reason.CODE_UNMATCHED, 2, 3)
    right = tried(RIGHT, None, 4, 5)
    assert explain([right, wrong, RESERVED], POLICY, START) == [RESERVED, wrong, right]


def test_two_successes_with_one_code_are_not_explained() -> None:
    """T3, L6: whether they overlap or follow one another."""
    assert explained(RESERVED, tried(RIGHT, None, 2, 4))
    assert not explained(RESERVED, tried(RIGHT, None, 2, 4), tried(RIGHT, None, 3, 5))
    assert not explained(RESERVED, tried(RIGHT, None, 2, 3), tried(RIGHT, None, 4, 5))


def test_a_call_whose_answer_was_lost_may_have_been_done_or_not() -> None:
    """T3, T4: so what follows may say either; it is not done twice, nor before it was asked."""
    lost = replace(tried(RIGHT, None, 4), result=UNKNOWN)
    before, after = tried(WRONG, Reason.CODE_UNMATCHED, 2, 3), tried(RIGHT, None, 5, 6)
    used = tried(RIGHT, Reason.CHALLENGE_USED, 5, 6)
    assert explained(RESERVED, before, lost, after)
    assert explained(RESERVED, before, lost, used)
    assert not explained(RESERVED, before, used)
    assert not explained(RESERVED, replace(used, called=2, returned=3), lost)


def test_time_is_respected() -> None:
    """T3: a try after a success finds the challenge used, but for one that overlaps it."""
    success = tried(RIGHT, None, 2, 4)
    assert explained(RESERVED, success, tried(WRONG, Reason.CODE_UNMATCHED, 3, 5))
    assert explained(RESERVED, success, tried(WRONG, Reason.USED_UNMATCHED, 3, 5))
    assert explained(RESERVED, success, tried(WRONG, Reason.USED_UNMATCHED, 5, 6))
    assert not explained(RESERVED, success, tried(WRONG, Reason.CODE_UNMATCHED, 5, 6))


def test_a_count_that_was_lost_is_not_explained() -> None:
    """T3, A1: two tries are allowed, three were compared."""
    wrong = [tried(WRONG, Reason.CODE_UNMATCHED, 2, 9) for _ in range(3)]
    assert explained(RESERVED, *wrong[:2], tried(WRONG, Reason.TRIES_SPENT, 2, 9))
    assert not explained(RESERVED, *wrong)


def test_what_is_forgotten_stays_forgotten() -> None:
    """T3, T5: a challenge that is over may go at any time, and does not come back."""
    hour = START + timedelta(hours=1)
    over = [
        RESERVED,
        Operation(0, "tick", (hour,), None, 2, 3),
        Operation(0, "expire", (ASKED.id,), None, 4),
    ]
    expired, unknown = Reason.CHALLENGE_EXPIRED, Reason.CHALLENGE_UNKNOWN
    assert explained(*over, tried(RIGHT, expired, 5, 6), tried(RIGHT, unknown, 7, 8))
    assert explained(*over, tried(RIGHT, expired, 5, 6), tried(RIGHT, expired, 7, 8))
    assert not explained(*over, tried(RIGHT, unknown, 5, 6), tried(RIGHT, expired, 7, 8))
    purged = Operation(2, "purge", (), None, 5, 6)
    assert explained(*over, purged, tried(RIGHT, expired, 5, 7))
    assert not explained(*over, purged, tried(RIGHT, expired, 7, 8))


def test_a_name_is_found_from_its_reservation_on() -> None:
    """T3, S10: a look that overlaps may find it or not, a later one must."""
    key = named()
    asked = replace(ASKED, request=key)
    found = StoredAnswer(Outcome(asked.id, Reason.REQUEST_PENDING), key.digest, asked.subject)
    reserved = replace(RESERVED, arguments=(asked,), returned=4)
    look = Operation(2, "get_answer", (key.value,), found, 2, 3)
    assert explained(reserved, look)
    assert explained(reserved, replace(look, result=None))
    assert not explained(reserved, replace(look, result=None, called=5, returned=6))


def test_one_name_for_two_requests_is_not_explained() -> None:
    """T3, S10: one of them must be told of the conflict, and nobody else."""
    one, two = (replace(ASKED, request=named("a", digest)) for digest in ("this", "that"))
    first = replace(RESERVED, arguments=(one,), returned=4)
    second = Operation(2, "reserve", (two,), Outcome("", Reason.REQUEST_CONFLICT), 2, 3)
    assert explained(first, second)
    assert explained(first, replace(second, called=5, returned=6))
    assert not explained(first, replace(second, result=SENT))
    assert not explained(second)
    assert not explained(replace(second, arguments=(one,)), first)
    assert not explained(second, replace(first, called=5, returned=6))


def test_a_fault_is_not_explained() -> None:
    """T3: no verb of the workload may raise."""
    fault = Operation(1, "unlock", ("alice", None, False), StoreError("the backend is busy"), 2, 3)
    assert explained(RESERVED, replace(fault, result=UserLimits()))
    assert not explained(RESERVED, fault)


def by_trying_all(history: Sequence[Operation]) -> bool:
    """Decide the slow way, by every order that there is."""

    def fits(order: Sequence[Operation]) -> bool:
        state = State(START)
        for number, operation in enumerate(order):
            if any(later.returned < operation.called for later in order[number:]):
                return False
            state, result = state.after(operation, POLICY)
            if result != operation.result:
                return False
        return True

    return any(fits(order) for order in permutations(history))


def test_the_search_decides_as_the_trial_of_all_orders_does() -> None:
    """T3: on 300 histories of five operations, some of which are possible and some are not."""
    decided = []
    for number in range(300):
        chance = Random(number)
        questions: list[Draft | Attempt] = [
            ASKED,
            *(attempt(ASKED.id, chance.choice([RIGHT, WRONG, WRONG])) for _ in range(4)),
        ]
        chance.shuffle(questions)
        state, history = State(START), []
        for moment, question in enumerate(questions):
            verb: Any = "reserve" if isinstance(question, Draft) else "spend"
            asked = Operation(1, verb, (question,), None, 0)
            state, result = state.after(asked, POLICY)
            called = moment + chance.uniform(-2, 2)  # so that some seem to come in another order
            returned = called + chance.uniform(0, 2)
            history.append(replace(asked, result=result, called=called, returned=returned))
        decided.append(explain(history, POLICY, START) is not None)
        assert decided[-1] == by_trying_all(history), history
    assert 30 < sum(decided) < 270


@pytest.fixture
def recorder() -> Recorder:
    return Recorder(NaiveStore(FrozenClock(START)), POLICY, pause=lambda: None)


def at_once(recorder: Recorder, *steps: Step) -> None:
    """Let nobody write before everybody has read."""
    wait: Callable[[], object] = threading.Barrier(len(steps), timeout=30).wait
    recorder.pause = wait
    run(recorder, [[step] for step in steps])
    recorder.pause = lambda: None


def right() -> Try:
    return Try(attempt(ASKED.id, RIGHT))


def wrong() -> Try:
    return Try(attempt(ASKED.id, WRONG))


def test_the_naive_store_is_caught_at_two_successes(recorder: Recorder) -> None:
    """T2, T3, L6: two threads that have both read before either writes."""
    run(recorder, [[Send(ASKED)]])
    at_once(recorder, right(), right())
    assert [one.result for one in recorder.history[-2:]] == [Outcome(ASKED.id)] * 2
    assert not explained(*recorder.history)


def test_the_naive_store_is_caught_at_a_lost_count(recorder: Recorder) -> None:
    """T2, T3, A1: two tries at once are counted as one, which shows only at the next."""
    run(recorder, [[Send(ASKED)]])
    at_once(recorder, wrong(), wrong())
    assert explained(*recorder.history)
    run(recorder, [[wrong()]])
    assert not explained(*recorder.history)


def test_the_naive_store_is_caught_at_a_send_too_many(recorder: Recorder) -> None:
    """T2, T3, S1: two of three sends are counted, and two more go out."""
    run(recorder, [[Send(draft()), Send(draft())]])
    at_once(recorder, Send(draft()), Send(draft()))
    assert not explained(*recorder.history)


def test_one_at_a_time_the_naive_store_is_explained(recorder: Recorder) -> None:
    """T2: so it is the race that was caught, and not the store."""
    run(recorder, [[Send(ASKED), wrong(), right(), right(), Send(draft()), Send(draft())]])
    assert explained(*recorder.history)


def test_a_store_may_forget_in_parts_where_that_is_all_it_promises() -> None:
    """T3, X9: an answer that is written meanwhile may stay; one of before may not."""
    sent = replace(RESERVED, called=0, returned=4)
    forgotten = Operation(2, "forget", (ASKED.subject,), None, 1, 5)
    repeated = Outcome(ASKED.id, Reason.REQUEST_PENDING, repeated=True)
    pending = Operation(3, "reserve", (replace(ASKED, id="again"),), repeated, 6, 7)
    unlimited = [
        Operation(4, "reserve", (asked,), replace(SENT, id=asked.id, digest=asked.digest), at, at)
        for at, asked in enumerate((draft(), draft(), draft()), start=8)
    ]
    history = [sent, forgotten, pending, *unlimited]
    assert not explained(*history)
    assert explained(*in_parts(history))
    late = [replace(sent, returned=0.5), forgotten, pending]
    assert not explained(*in_parts(late))


def test_a_key_that_is_forgotten_while_it_is_used_again_may_be_free_once_more() -> None:
    """T3, X9: so another request may have it as well; not if it is used after the forget."""

    def sent(user: str, called: float, returned: float) -> Operation:
        asked = draft(user, key=named("key"))
        opened = replace(SENT, id=asked.id, subject=user, digest=asked.digest)
        return Operation(1, "reserve", (asked,), opened, called, returned)

    forgotten = Operation(2, "forget", (ASKED.subject,), None, 3, 8)
    first, other = sent(ASKED.subject, 0, 1), sent("another user", 7, 12)
    history = [first, forgotten, sent(ASKED.subject, 4, 10), other]
    assert not explained(*in_parts(history))
    assert explained(*in_parts(history, claims_apart=True))
    late = [first, forgotten, sent(ASKED.subject, 9, 10), other]
    assert not explained(*in_parts(late, claims_apart=True))
