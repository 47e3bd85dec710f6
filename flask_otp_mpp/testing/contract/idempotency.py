"""Tests of idempotency keys that the caller chose: a key stands for one request."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import partial

import pytest

from flask_otp_mpp.core.challenge import Challenge, Draft
from flask_otp_mpp.core.idempotency import NOT_COUNTED, IdempotencyKey, StoredAnswer
from flask_otp_mpp.core.ports import Store
from flask_otp_mpp.core.reasons import Outcome, Reason
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
)
from flask_otp_mpp.testing.contract.race import THREADS, slowed, together
from flask_otp_mpp.testing.contract.suite import StoreTests

CONFLICT = Outcome("", Reason.REQUEST_CONFLICT)


def other(key: IdempotencyKey) -> IdempotencyKey:
    """Return the same idempotency key with other parameters."""
    return replace(key, digest="other parameters")


class IdempotencyTests(StoreTests):
    """Tests of idempotency keys that were chosen by the caller, as in AMS and Google."""

    def test_a_send_is_found_by_its_idempotency_key(self, store: Store) -> None:
        """S10: with user and challenge, from its reservation on, also after a restart."""
        key = named()
        assert store.get_answer(key.value) is None
        asked = draft(key=key)
        store.reserve(asked, POLICY)
        pending = Outcome(asked.id, Reason.REQUEST_PENDING)
        assert self.restart(store).get_answer(key.value) == StoredAnswer(
            pending, key.digest, "alice"
        )
        store.settle(asked, Outcome(asked.id))
        assert self.restart(store).get_answer(key.value) == StoredAnswer(
            Outcome(asked.id), key.digest, "alice"
        )

    def test_a_repeat_under_an_idempotency_key_gets_its_answer(self, store: Store) -> None:
        """S10: one reservation for however many repeats."""
        asked = draft(key=named())
        assert isinstance(store.reserve(asked, QUICK), Challenge)
        store.settle(asked, Outcome(asked.id))
        for _ in range(5):
            repeat = self.restart(store).reserve(draft(key=asked.request), QUICK)
            assert repeat == Outcome(asked.id, repeated=True)

    @pytest.mark.parametrize("subject", ["alice", "bob"])
    def test_an_idempotency_key_is_bound_to_its_parameters(
        self, store: Store, subject: str
    ) -> None:
        """S10: other parameters are a conflict, of the same user or of another one."""
        asked = draft(key=named())
        reserved = store.reserve(asked, QUICK)
        assert isinstance(reserved, Challenge)
        store = self.restart(store)
        assert store.reserve(draft(subject, key=other(asked.request)), QUICK) == CONFLICT
        wrong = attempt(reserved.id, RIGHT, subject=subject, key=other(asked.request))
        assert store.spend(wrong, QUICK) == CONFLICT
        assert answer(store, reserved, RIGHT) is None  # nothing was spent, closed or replaced
        assert isinstance(store.reserve(draft("bob"), POLICY), Challenge)

    def test_an_attempt_under_an_idempotency_key_is_compared_once(self, store: Store) -> None:
        """S10: and its key can't be used for another code."""
        challenge = opened(store)
        wrong = attempt(challenge.id, WRONG, key=named())
        for repeated in (False, True, True):
            found = store.spend(wrong, POLICY)
            assert (found.reason, found.repeated) == (Reason.CODE_UNMATCHED, repeated)
            store = self.restart(store)
        right = attempt(challenge.id, RIGHT, key=other(wrong.request))
        assert store.spend(right, POLICY) == CONFLICT
        for _ in range(3):
            assert answer(store, challenge, WRONG) is Reason.CODE_UNMATCHED
        assert answer(store, challenge, RIGHT) is None  # so four were counted

    @pytest.mark.parametrize("kept", [True, False])
    def test_an_attempt_that_was_not_compared_is_cached_if_its_key_says_so(
        self, store: Store, kept: bool
    ) -> None:
        """S10: a stored answer is repeated; without one the attempt is decided again."""
        unknown = attempt(
            "no such challenge", RIGHT, key=named(not_cached=frozenset() if kept else NOT_COUNTED)
        )
        challenge = opened(store)
        refused = store.spend(unknown, POLICY)
        assert (refused.reason, refused.repeated) == (Reason.CHALLENGE_UNKNOWN, False)
        assert self.restart(store).spend(unknown, POLICY).repeated is kept
        found = store.spend(attempt(challenge.id, RIGHT, key=other(unknown.request)), POLICY)
        assert found == (CONFLICT if kept else Outcome(challenge.id))

    @pytest.mark.parametrize("kept", [True, False])
    def test_a_limited_send_is_cached_if_its_key_says_so(self, store: Store, kept: bool) -> None:
        """S10, S2: the end of the limit, too."""
        opened(store)
        key = named(not_cached=frozenset() if kept else frozenset({Reason.SEND_LIMITED}))
        first = store.reserve(draft(key=key), POLICY)
        assert isinstance(first, Outcome)
        assert first.reason is Reason.SEND_LIMITED
        again = self.restart(store).reserve(draft(key=key), QUICK)
        assert isinstance(again, Outcome) is kept

    @pytest.mark.parametrize("kept", [True, False])
    def test_a_failed_delivery_is_cached_if_its_key_says_so(self, store: Store, kept: bool) -> None:
        """S4, S10: its challenge is closed either way."""
        not_cached = frozenset() if kept else frozenset({Reason.DELIVERY_REFUSED})
        asked = draft(key=named(not_cached=not_cached))
        reserved = store.reserve(asked, QUICK)
        assert isinstance(reserved, Challenge)
        refusal = Outcome(asked.id, Reason.DELIVERY_REFUSED, "landline")
        store.settle(asked, refusal)
        assert answer(store, reserved, RIGHT) is Reason.CHALLENGE_CLOSED
        store = self.restart(store)
        assert (store.get_answer(asked.request.value) is not None) is kept
        again = store.reserve(draft(key=asked.request), QUICK)
        if kept:
            assert again == replace(refusal, repeated=True)
        else:
            assert isinstance(again, Challenge)
            assert again.id != reserved.id

    def test_of_many_repeats_under_one_idempotency_key_one_is_reserved(self, store: Store) -> None:
        """S1, S10: the same key and parameters, 32 times at once."""
        key = named()
        reasons = _race(store, [draft(key=key) for _ in range(THREADS)])
        assert reasons == {None: 1, Reason.REQUEST_PENDING: THREADS - 1}

    def test_of_many_users_under_one_idempotency_key_one_is_reserved(self, store: Store) -> None:
        """S1, S10: one key for 32 users at once is one send and 31 conflicts."""
        key = named()
        users = [f"user {number}" for number in range(THREADS)]
        asked = [draft(user, key=replace(key, digest=f"of {user}")) for user in users]
        assert _race(store, asked) == {None: 1, Reason.REQUEST_CONFLICT: THREADS - 1}
        record = store.get_answer(key.value)
        assert record is not None
        assert record.subject in users
        assert record.outcome.reason is Reason.REQUEST_PENDING


def _race(store: Store, drafts: list[Draft]) -> Counter[Reason | None]:
    """Reserve at the same time; count the reasons, None for a granted send."""
    found = together([partial(store.reserve, asked, slowed(QUICK)) for asked in drafts])
    return Counter(one.reason if isinstance(one, Outcome) else None for one in found)
