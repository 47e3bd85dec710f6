"""Tests of erasure: nothing of a user who was forgotten is left, and everything of all others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from flask_otp_mpp.core.challenge import Challenge, Channel
from flask_otp_mpp.core.idempotency import StoredAnswer
from flask_otp_mpp.core.ports import Store
from flask_otp_mpp.core.reasons import Outcome, Reason
from flask_otp_mpp.core.user_record import UserRecord
from flask_otp_mpp.testing.contract.builders import (
    POLICY,
    QUICK,
    RIGHT,
    WRONG,
    answer,
    attempt,
    draft,
    named,
    opened,
    refused,
)
from flask_otp_mpp.testing.contract.lookalikes import ALIKE, IDS
from flask_otp_mpp.testing.contract.race import THREADS, together
from flask_otp_mpp.testing.contract.suite import StoreTests
from flask_otp_mpp.testing.doubles import FrozenClock


class ErasureTests(StoreTests):
    """Tests of ``forget``."""

    def test_nothing_of_a_forgotten_user_is_left(self, store: Store, clock: FrozenClock) -> None:
        """X9: no challenge of any caller or channel, no limit, no answer; also after a restart."""
        known = [
            opened(store, caller=caller, channel=channel, policy=QUICK)
            for caller in ("caller", "other")
            for channel in Channel
        ]
        sent, guess, late = (named() for _ in range(3))
        asked = draft(key=sent)
        assert isinstance(store.reserve(asked, QUICK), Challenge)
        store.settle(asked, Outcome(asked.id))
        store.spend(attempt(known[0].id, WRONG, key=guess), POLICY)
        assert isinstance(store.reserve(draft(key=late), POLICY), Outcome)
        assert store.forget("alice") is True
        store = self.restart(store)
        for key in (sent, guess, late):
            assert store.get_answer(key.value) is None
        for challenge in known:
            assert answer(store, challenge, RIGHT) is Reason.CHALLENGE_UNKNOWN
        assert store.look_up("alice") == UserRecord(clock.now)
        assert store.unlock("alice", quota=True) is None
        assert store.forget("alice") is False
        assert isinstance(store.reserve(draft(key=sent), POLICY), Challenge)  # no cool-down

    def test_a_user_of_whom_nothing_is_known_can_be_forgotten(self, store: Store) -> None:
        """X9: the result tells whether there was anything."""
        assert store.forget("alice") is False
        store.spend(attempt("unknown", RIGHT), POLICY)
        assert store.forget("alice") is False

    @pytest.mark.parametrize(("one", "other"), ALIKE, ids=IDS)
    def test_a_user_who_looks_like_a_forgotten_one_is_not_forgotten(
        self, store: Store, one: str, other: str
    ) -> None:
        """X9: challenge, failures and answers are as they were, whichever of two is forgotten."""
        for gone, left in ((one, other), (other, one)):
            key = named()
            opened(store, gone, policy=QUICK)
            asked = draft(left, key=key)
            reserved = store.reserve(asked, QUICK)
            assert isinstance(reserved, Challenge)
            store.settle(asked, Outcome(asked.id))
            answer(store, reserved, WRONG)
            assert store.forget(gone) is True
            assert store.get_answer(key.value) == StoredAnswer(Outcome(asked.id), key.digest, left)
            assert refused(store, left).reason is Reason.SEND_LIMITED
            for _ in range(POLICY.tries - 1):
                assert answer(store, reserved, WRONG) is Reason.CODE_UNMATCHED
            assert answer(store, reserved, WRONG) is Reason.TRIES_SPENT

    def test_forgetting_a_user_ends_a_lock(self, store: Store) -> None:
        """X9: what locks a user is kept of that user, too."""
        for _ in range(2):
            challenge = opened(store, policy=QUICK)
            for _ in range(QUICK.tries):
                answer(store, challenge, WRONG, policy=QUICK)
        assert refused(store, policy=QUICK).reason is Reason.SEND_LOCKED
        store.forget("alice")
        assert answer(store, opened(store), RIGHT) is None

    @pytest.mark.parametrize("reason", [None, Reason.DELIVERY_REFUSED])
    def test_a_delivery_that_ends_after_its_user_was_forgotten_stores_nothing(
        self, store: Store, reason: Reason | None
    ) -> None:
        """X9: under a key of the caller's and under another one."""
        for key in (named(), None):
            asked = draft(key=key)
            assert isinstance(store.reserve(asked, QUICK), Challenge)
            store.forget("alice")
            store.settle(asked, Outcome(asked.id, reason))
            assert store.get_answer(asked.request.value) is None
            assert store.forget("alice") is False

    def test_a_delivery_that_ends_late_leaves_another_users_answer(self, store: Store) -> None:
        """X9, S10: a key that is free again may be another user's by then."""
        first = draft(key=named())
        assert isinstance(store.reserve(first, QUICK), Challenge)
        store.forget("alice")
        second = draft("bob", key=replace(first.request, digest="other parameters"))
        assert isinstance(store.reserve(second, QUICK), Challenge)
        store.settle(first, Outcome(first.id))
        expected = Outcome(second.id, Reason.REQUEST_PENDING)
        assert store.get_answer(first.request.value) == StoredAnswer(
            expected, "other parameters", "bob"
        )

    def test_a_user_can_be_forgotten_while_requests_of_theirs_arrive(self, store: Store) -> None:
        """X9: nothing fails, and the next erasure leaves nothing."""
        challenge = opened(store, policy=QUICK)
        keys = [named() for _ in range(THREADS)]
        calls: list[Callable[[], object]] = [
            partial(store.forget, "alice"),
            partial(store.spend, attempt(challenge.id, WRONG), QUICK),
            *(partial(store.reserve, draft(key=key), QUICK) for key in keys),
            partial(store.forget, "alice"),
        ]
        together(calls)
        store.forget("alice")
        assert store.forget("alice") is False
        assert {store.get_answer(key.value) for key in keys} == {None}
