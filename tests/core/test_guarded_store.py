"""The end of a delivery is stored as soon as the store is back, while the caller waits."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

import pytest

from flask_otp_mpp.core import guarded_store
from flask_otp_mpp.core.challenge import Attempt, Challenge, Channel, Draft
from flask_otp_mpp.core.deadline import answer_within, seconds_left
from flask_otp_mpp.core.guarded_store import GuardedStore
from flask_otp_mpp.core.idempotency import IdempotencyKey, StoredAnswer
from flask_otp_mpp.core.policy import Policy
from flask_otp_mpp.core.ports import StoreError, StoreUnavailable
from flask_otp_mpp.core.reasons import Outcome

DRAFT = Draft(
    id="1",
    subject="alice",
    caller="c",
    client="c",
    channel=Channel.MOBILE,
    digest=b"",
    request=IdempotencyKey("key", timedelta(minutes=10)),
)
DONE = Outcome("1")


class FailingStore:
    """Fail so many times, then answer."""

    def __init__(self, failures: int, failure: Exception) -> None:
        self.failures = failures
        self.failure = failure
        self.calls = 0

    def _call(self) -> None:
        self.calls += 1
        if self.calls <= self.failures:
            raise self.failure

    def get_answer(self, request: str) -> StoredAnswer | None:
        self._call()
        return None

    def reserve(self, draft: Draft, policy: Policy) -> Challenge | Outcome:
        self._call()
        return DONE

    def settle(self, draft: Draft, outcome: Outcome) -> None:
        self._call()

    def spend(self, attempt: Attempt, policy: Policy) -> Outcome:
        self._call()
        return DONE


@pytest.mark.parametrize("failure", [StoreError("a"), StoreUnavailable("b")])
def test_the_end_of_a_delivery_is_stored_when_the_store_is_back(failure: StoreError) -> None:
    """S5: so that a repeat is told that the message went out."""
    store = FailingStore(3, failure)
    GuardedStore(store, 4).settle(DRAFT, DONE)
    assert store.calls == 4


def test_it_is_tried_for_a_moment_though_the_time_of_the_request_is_over() -> None:
    """S5: the sender took all of it."""
    store = FailingStore(2, StoreError("away"))
    with answer_within(-1):
        GuardedStore(store, 4).settle(DRAFT, DONE)
    assert store.calls == 3


def test_what_can_not_be_stored_in_time_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """S5: the repeat finds the request pending; no second message goes out."""
    monkeypatch.setattr(guarded_store, "SETTLE_SECONDS", 0.2)
    store, begin = FailingStore(1000, StoreError("away")), time.monotonic()
    with answer_within(0.3), pytest.raises(StoreError, match="away"):
        GuardedStore(store, 4).settle(DRAFT, DONE)
    assert 0.1 < time.monotonic() - begin < 0.3
    assert store.calls > 1


def test_the_other_methods_are_called_once() -> None:
    """S1, A1: what may have been done is not done again."""
    attempt = Attempt("1", "alice", "c", "c", (b"",), DRAFT.request)
    calls: list[Callable[[GuardedStore], object]] = [
        lambda store: store.get_answer("key"),
        lambda store: store.reserve(DRAFT, Policy()),
        lambda store: store.spend(attempt, Policy()),
    ]
    for call in calls:
        store = FailingStore(1, StoreError("away"))
        with pytest.raises(StoreError):
            call(GuardedStore(store, 4))
        assert store.calls == 1


def test_a_wait_ends_with_the_time_of_its_request() -> None:
    assert seconds_left(2) == 2
    with answer_within(1):
        assert 0.9 < seconds_left(2) <= 1
        assert seconds_left(0.1) == 0.1
        with answer_within(-1):
            assert seconds_left(2) == 0
    assert seconds_left(2) == 2
