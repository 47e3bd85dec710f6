"""Tests of attempts one after another, across restarts and over time."""

from __future__ import annotations

from datetime import timedelta

import pytest

from flask_otp_mpp.core.challenge import Channel
from flask_otp_mpp.core.ports import Store
from flask_otp_mpp.core.reasons import Reason
from flask_otp_mpp.testing.contract.builders import (
    POLICY,
    RIGHT,
    WRONG,
    answer,
    attempt,
    opened,
    refused,
)
from flask_otp_mpp.testing.contract.suite import StoreTests
from flask_otp_mpp.testing.doubles import FrozenClock

MICROSECOND = timedelta(microseconds=1)


class AttemptTests(StoreTests):
    """Tests of challenges, tries and the failures of a user."""

    @pytest.mark.parametrize(
        ("seconds", "reason"),
        [(0, None), (299, None), (300, Reason.CHALLENGE_EXPIRED), (301, Reason.CHALLENGE_EXPIRED)],
    )
    def test_a_code_is_accepted_until_its_end(
        self, store: Store, clock: FrozenClock, seconds: int, reason: Reason | None
    ) -> None:
        """L4: accepted one second before the end, refused at it."""
        challenge = opened(store)
        clock.forward(seconds=seconds)
        assert answer(store, challenge, RIGHT) is reason

    def test_the_end_is_kept_to_the_microsecond(self, store: Store, clock: FrozenClock) -> None:
        """L4, A9: no store rounds it, either way."""
        early, late = opened(store), opened(store, "bob")
        clock.now = early.expires_at - MICROSECOND
        assert answer(store, early, RIGHT) is None
        clock.now = late.expires_at
        assert answer(store, late, RIGHT) is Reason.CHALLENGE_EXPIRED

    def test_a_code_is_used_once(self, store: Store) -> None:
        """L5: the second use is refused, also after a restart."""
        challenge = opened(store)
        assert answer(store, challenge, RIGHT) is None
        assert answer(store, challenge, RIGHT) is Reason.CHALLENGE_USED
        assert answer(self.restart(store), challenge, RIGHT) is Reason.CHALLENGE_USED

    def test_a_wrong_code_for_a_used_challenge_is_told_and_not_counted(self, store: Store) -> None:
        """L5, A1: it is compared with a code that can't succeed any more; nothing is spent."""
        challenge = opened(store)
        assert answer(store, challenge, RIGHT) is None
        for _ in range(20):
            assert answer(store, challenge, WRONG) is Reason.USED_UNMATCHED
        assert answer(store, challenge) is Reason.USED_UNMATCHED
        assert answer(self.restart(store), challenge, WRONG, RIGHT) is Reason.CHALLENGE_USED
        assert not store.unlock("alice")  # there are no failures

    @pytest.mark.parametrize(("wrong", "reason"), [(4, None), (5, Reason.TRIES_SPENT)])
    def test_the_fifth_try_may_be_right_and_the_sixth_may_not(
        self, store: Store, wrong: int, reason: Reason | None
    ) -> None:
        """A10, A6: the boundary of the tries, counted across a restart."""
        challenge = opened(store)
        for _ in range(wrong):
            assert answer(store, challenge, WRONG) is Reason.CODE_UNMATCHED
        assert answer(self.restart(store), challenge, RIGHT) is reason

    def test_an_attempt_without_a_digest_costs_a_try(self, store: Store) -> None:
        """L11: a code with a digit too many or too few is counted and matches nothing."""
        challenge = opened(store)
        for _ in range(5):
            assert answer(store, challenge) is Reason.CODE_UNMATCHED
        assert answer(store, challenge, RIGHT) is Reason.TRIES_SPENT

    def test_each_of_several_digests_may_match(self, store: Store) -> None:
        """K1: a code is found under whichever pepper it was made."""
        assert answer(store, opened(store), WRONG, RIGHT) is None
        assert answer(store, opened(store, "bob"), RIGHT, WRONG) is None

    def test_the_budget_spans_challenges_sends_and_restarts(
        self, store: Store, clock: FrozenClock
    ) -> None:
        """A2: five wrong codes to each of two challenges lock, however new the second is."""
        for _ in range(2):
            challenge = opened(store)
            for _ in range(5):
                store = self.restart(store)
                assert answer(store, challenge, WRONG) is Reason.CODE_UNMATCHED
            clock.forward(seconds=60)
        assert refused(store).reason is Reason.SEND_LOCKED
        clock.forward(seconds=14 * 60)
        assert answer(store, opened(store), RIGHT) is None

    def test_a_locked_user_is_told_until_when(self, store: Store, clock: FrozenClock) -> None:
        """A5: an open challenge is refused without a comparison, with the end of the lock."""
        mobile, email = opened(store), opened(store, channel=Channel.EMAIL)
        for challenge in [mobile] * 5 + [email] * 4:
            answer(store, challenge, WRONG)
        clock.forward(seconds=60)
        newest = opened(store)
        until = store.spend(attempt(newest.id, WRONG), POLICY).until
        assert until == clock.now + timedelta(minutes=15)
        store = self.restart(store)
        locked = store.spend(attempt(newest.id, RIGHT), POLICY)
        assert (locked.reason, locked.until) == (Reason.USER_LOCKED, until)
        assert refused(store).until == until
        assert answer(store, opened(store, "bob"), RIGHT) is None  # no other user is locked

    def test_a_success_resets_the_budget(self, store: Store, clock: FrozenClock) -> None:
        """A4: four failures at a time never lock if a success lies between."""
        for _ in range(4):
            challenge = opened(store)
            for _ in range(4):
                assert answer(store, challenge, WRONG) is Reason.CODE_UNMATCHED
            assert answer(store, challenge, RIGHT) is None
            clock.forward(minutes=5)

    @pytest.mark.parametrize(
        ("subject", "caller"), [("bob", "caller"), ("alice", "other"), ("bob", "other")]
    )
    def test_an_attempt_of_another_user_or_caller_costs_nothing(
        self, store: Store, subject: str, caller: str
    ) -> None:
        """L8: all five tries are left, and no user has a failure."""
        challenge = opened(store)
        opened(store, "bob")
        for digest in (RIGHT, WRONG) * 10:
            asked = attempt(challenge.id, digest, subject=subject, caller=caller)
            assert store.spend(asked, POLICY).reason is Reason.CHALLENGE_UNKNOWN
        assert not store.unlock("alice")
        assert not store.unlock("bob")
        for _ in range(4):
            assert answer(store, challenge, WRONG) is Reason.CODE_UNMATCHED
        assert answer(store, challenge, RIGHT) is None

    def test_an_id_that_was_never_given_is_unknown(self, store: Store) -> None:
        assert store.spend(attempt("nothing", RIGHT), POLICY).reason is Reason.CHALLENGE_UNKNOWN
        opened(store)
        assert store.spend(attempt("nothing", RIGHT), POLICY).reason is Reason.CHALLENGE_UNKNOWN

    def test_a_repeated_attempt_gets_the_stored_answer(self, store: Store) -> None:
        """S10: the same request is compared once; its answer is marked as a repeat."""
        challenge = opened(store)
        wrong, right = attempt(challenge.id, WRONG), attempt(challenge.id, RIGHT)
        answers = [store.spend(wrong, POLICY) for _ in range(9)]
        assert {found.reason for found in answers} == {Reason.CODE_UNMATCHED}
        assert [found.repeated for found in answers] == [False] + [True] * 8
        assert not store.spend(right, POLICY).repeated
        again = self.restart(store).spend(right, POLICY)
        assert (again.reason, again.repeated, again.challenge_id) == (None, True, challenge.id)

    def test_unlock_ends_a_lock_and_returns_whether_there_was_one(
        self, store: Store, clock: FrozenClock
    ) -> None:
        """A5: an operator ends a lock; sends stay counted, and a second unlock finds nothing."""
        assert not store.unlock("alice")
        for _ in range(2):
            challenge = opened(store)
            for _ in range(5):
                answer(store, challenge, WRONG)
            clock.forward(seconds=60)
        assert not store.unlock("bob")
        assert store.unlock("alice")
        assert not store.unlock("alice")
        for _ in range(3):
            opened(store)
            clock.forward(seconds=60)
        assert refused(store).reason is Reason.SEND_LIMITED  # five in ten minutes
