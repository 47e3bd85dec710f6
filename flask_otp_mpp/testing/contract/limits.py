"""Tests of what is counted for a user at each client, and over all of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from flask_otp_mpp.core.challenge import Channel
from flask_otp_mpp.core.limits import MAX_CLIENTS
from flask_otp_mpp.core.policy import DAY, SendLimit
from flask_otp_mpp.core.ports import Store
from flask_otp_mpp.core.reasons import FOREVER, Reason
from flask_otp_mpp.testing.contract.builders import (
    CLIENT,
    POLICY,
    QUICK,
    RIGHT,
    WRONG,
    answer,
    attempt,
    opened,
    refused,
)
from flask_otp_mpp.testing.contract.suite import StoreTests
from flask_otp_mpp.testing.doubles import FrozenClock

OTHER = "fedcba9876543210"
FEW = replace(QUICK, failure_limit=100, disable_after=7)
LOCKING = replace(QUICK, failure_limit=5)


class LimitTests(StoreTests):
    """Tests of limits, locks and the end of all attempts."""

    def test_wrong_codes_lock_the_user_at_one_client_only(self, store: Store) -> None:
        """C2: what a stranger types at one client takes nothing from the user at another one."""
        ours = opened(store, caller="ours", client=OTHER, policy=LOCKING)
        theirs = opened(store, policy=LOCKING)
        for _ in range(5):
            assert answer(store, theirs, WRONG, policy=LOCKING) is Reason.CODE_UNMATCHED
        store = self.restart(store)
        assert refused(store, policy=LOCKING).reason is Reason.SEND_LOCKED
        assert answer(store, ours, RIGHT, client=OTHER, policy=LOCKING) is None
        opened(store, caller="ours", client=OTHER, policy=LOCKING)

    def test_a_success_at_one_client_ends_no_lock_at_another(self, store: Store) -> None:
        """C2, A4: the user's own success gives nobody new guesses elsewhere."""
        email = opened(store, channel=Channel.EMAIL, policy=LOCKING)
        theirs = opened(store, policy=LOCKING)
        for _ in range(5):
            answer(store, theirs, WRONG, policy=LOCKING)
        ours = opened(store, caller="ours", client=OTHER, policy=LOCKING)
        assert answer(store, ours, RIGHT, client=OTHER, policy=LOCKING) is None
        assert answer(self.restart(store), email, RIGHT, policy=LOCKING) is Reason.USER_LOCKED

    def test_wrong_codes_at_all_clients_disable_the_user_until_an_unlock(
        self, store: Store, clock: FrozenClock
    ) -> None:
        """A3: the count has no end in time; no purge, no restart and no quiet year resets it."""
        clients = [CLIENT, OTHER] * 4
        for client in clients[:6]:
            challenge = opened(store, caller=client, client=client, policy=FEW)
            reason = answer(store, challenge, WRONG, client=client, policy=FEW)
            assert reason is Reason.CODE_UNMATCHED
            clock.forward(days=40)
            store.purge(FEW)
            store = self.restart(store)
        last = opened(store, caller="third", client="third", policy=FEW)
        wrong = attempt(last.id, WRONG, caller="third", client="third")
        assert store.spend(wrong, FEW).until == FOREVER
        right = attempt(last.id, RIGHT, caller="third", client="third")
        disabled = store.spend(right, FEW)
        assert (disabled.reason, disabled.until) == (Reason.USER_LOCKED, FOREVER)
        clock.forward(days=366)
        store.purge(FEW)
        for client in (CLIENT, OTHER, "fourth"):
            found = refused(store, client=client, policy=FEW)
            assert (found.reason, found.until) == (Reason.SEND_LOCKED, FOREVER)
        assert store.unlock("alice")
        assert answer(store, opened(store, policy=FEW), RIGHT, policy=FEW) is None

    def test_a_success_resets_the_count_over_all_clients(self, store: Store) -> None:
        """A4: only failures in a row disable."""
        for _ in range(3):
            challenge = opened(store, policy=FEW)
            for _ in range(4):
                assert answer(store, challenge, WRONG, policy=FEW) is Reason.CODE_UNMATCHED
            assert answer(store, challenge, RIGHT, policy=FEW) is None
        assert not store.unlock("alice")

    @pytest.mark.parametrize(("again", "locks"), [(0, False), (1, True)])
    def test_the_failures_of_many_clients_are_kept_within_a_bound(
        self, store: Store, clock: FrozenClock, again: int, locks: bool
    ) -> None:
        """C2: with one client more than are kept, the one that is forgotten first is dropped."""
        many = replace(POLICY, cool_down=timedelta(), send_limits=(SendLimit(99, DAY),))
        policy = replace(many, failure_limit=2, disable_after=100)
        clients = [f"{number:016x}" for number in range(MAX_CLIENTS + 1)]
        for client in [*clients, clients[again]]:
            challenge = opened(store, policy=policy, client="sender")
            wrong = attempt(challenge.id, WRONG, client=client)
            found = store.spend(wrong, policy)
            assert found.reason is Reason.CODE_UNMATCHED
            clock.forward(seconds=1)
        assert (found.until is not None) is locks

    def test_sends_are_limited_for_each_client(self, store: Store) -> None:
        """C3: five sends by one client leave another one its own five."""
        for _ in range(5):
            opened(store, policy=QUICK)
        assert refused(store, policy=QUICK).reason is Reason.SEND_LIMITED
        store = self.restart(store)
        for _ in range(5):
            opened(store, caller="other", client=OTHER, policy=QUICK)
        assert refused(store, client=OTHER, policy=QUICK).reason is Reason.SEND_LIMITED

    def test_the_cool_down_of_one_client_delays_no_other_one(
        self, store: Store, clock: FrozenClock
    ) -> None:
        """C3: a user who asks at two merchants in one minute gets both codes, and the next ones."""
        opened(store)
        clock.forward(seconds=30)
        opened(store, caller="other", client=OTHER)
        assert refused(store).reason is Reason.SEND_LIMITED
        clock.forward(seconds=15)
        opened(store)
        assert refused(store, client=OTHER).reason is Reason.SEND_LIMITED

    def test_all_clients_together_are_limited(self, store: Store, clock: FrozenClock) -> None:
        """S2: twice the limit of one client, so that many clients can't bomb a user."""
        for client in (CLIENT, OTHER):
            for _ in range(5):
                opened(store, caller=client, client=client, policy=QUICK)
        found = refused(self.restart(store), client="third", policy=QUICK)
        end = clock.now + timedelta(minutes=10)
        assert (found.reason, found.until) == (Reason.SEND_LIMITED, end)
        opened(store, client="third", channel=Channel.EMAIL, policy=QUICK)
