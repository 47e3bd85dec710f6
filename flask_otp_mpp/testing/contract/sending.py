"""Tests of sends: reservation, the end of a delivery, and what a purge deletes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, timedelta

import pytest

from flask_otp_mpp.core.challenge import Challenge, Channel
from flask_otp_mpp.core.policy import Policy, Resend
from flask_otp_mpp.core.ports import Store
from flask_otp_mpp.core.reasons import Outcome, Reason
from flask_otp_mpp.testing.contract.builders import (
    POLICY,
    QUICK,
    RIGHT,
    WRONG,
    answer,
    draft,
    opened,
    refused,
)
from flask_otp_mpp.testing.contract.suite import StoreTests
from flask_otp_mpp.testing.doubles import FrozenClock

REUSE = Policy(resend=Resend.REUSE)


class SendTests(StoreTests):
    """Tests of reservations and their settlement."""

    def test_a_reservation_is_the_challenge_to_the_microsecond(
        self, store: Store, clock: FrozenClock
    ) -> None:
        """A9: every store returns the same types, with aware UTC times."""
        asked = draft()
        reserved = store.reserve(asked, REUSE)
        expected = Challenge(
            asked.id,
            "alice",
            "caller",
            Channel.MOBILE,
            RIGHT,
            clock.now,
            clock.now + timedelta(seconds=300),
            5,
        )
        assert reserved == expected
        answer(store, expected, WRONG)
        clock.forward(seconds=60)
        again = self.restart(store).reserve(draft(), REUSE)
        assert again == replace(expected, attempts=1)  # read back, where there is a restart
        assert isinstance(again, Challenge)
        assert type(again.digest) is bytes
        assert type(again.channel) is Channel
        assert again.issued_at.tzinfo is again.expires_at.tzinfo is UTC

    def test_a_limit_tells_its_end(self, store: Store, clock: FrozenClock) -> None:
        """S2, A9: the cool-down, to the microsecond, also when the answer is repeated."""
        opened(store)
        end = clock.now + POLICY.cool_down
        asked = draft()
        limited = store.reserve(asked, POLICY)
        assert limited == Outcome(asked.id, Reason.SEND_LIMITED, until=end)
        repeat = self.restart(store).reserve(replace(asked, id="another"), POLICY)
        assert repeat == Outcome(asked.id, Reason.SEND_LIMITED, until=end, repeated=True)
        assert isinstance(repeat, Outcome)
        assert repeat.until is not None
        assert repeat.until.tzinfo is UTC
        clock.now = end
        opened(store)

    def test_sends_are_counted_by_user_and_channel(self, store: Store) -> None:
        """S2: whichever caller asks; another user or channel has a count of its own."""
        opened(store)
        assert refused(store, caller="other").reason is Reason.SEND_LIMITED
        opened(store, channel=Channel.EMAIL)
        opened(store, "bob")

    def test_a_repeated_send_gets_the_answer_of_the_first(self, store: Store) -> None:
        """S10: one reservation, whatever new id the service made for the repeat."""
        asked = draft()
        reserved = store.reserve(asked, QUICK)
        store.settle(asked, Outcome(asked.id))
        for _ in range(9):
            repeat = store.reserve(draft(key=asked.request), QUICK)
            assert repeat == Outcome(asked.id, repeated=True)
        for _ in range(4):  # so four of the five slots are left
            reserved = store.reserve(draft(), QUICK)
            assert isinstance(reserved, Challenge)
        assert refused(store, policy=QUICK).reason is Reason.SEND_LIMITED

    def test_a_send_that_broke_off_is_pending_and_not_sent_again(self, store: Store) -> None:
        """S10: the process ended during delivery; the repeat may not send a second message."""
        asked = draft()
        store.reserve(asked, QUICK)
        store = self.restart(store)
        for _ in range(3):
            repeat = store.reserve(draft(key=asked.request), QUICK)
            assert repeat == Outcome(asked.id, Reason.REQUEST_PENDING, repeated=True)
        assert sum(isinstance(store.reserve(draft(), QUICK), Challenge) for _ in range(9)) == 4

    def test_a_message_that_may_have_gone_out_opens_its_challenge(self, store: Store) -> None:
        """S4: a code can be verified while the result of its delivery is not known."""
        asked = draft()
        reserved = store.reserve(asked, POLICY)
        assert isinstance(reserved, Challenge)
        assert answer(self.restart(store), reserved, RIGHT) is None

    def test_a_refused_delivery_closes_the_challenge(
        self, store: Store, clock: FrozenClock
    ) -> None:
        """S4: a repeat is answered with the same reason and detail."""
        asked = draft()
        reserved = store.reserve(asked, POLICY)
        assert isinstance(reserved, Challenge)
        refusal = Outcome(asked.id, Reason.DELIVERY_REFUSED, "landline", clock.now)
        store.settle(asked, refusal)
        assert answer(store, reserved, RIGHT) is Reason.CHALLENGE_CLOSED
        repeat = self.restart(store).reserve(draft(key=asked.request), POLICY)
        assert repeat == replace(refusal, repeated=True)

    def test_a_challenge_that_was_used_before_its_delivery_failed_stays_used(
        self, store: Store
    ) -> None:
        """L5: a user may be faster than a provider's answer."""
        asked = draft()
        reserved = store.reserve(asked, POLICY)
        assert isinstance(reserved, Challenge)
        assert answer(store, reserved, RIGHT) is None
        store.settle(asked, Outcome(asked.id, Reason.DELIVERY_REFUSED))
        assert answer(store, reserved, RIGHT) is Reason.CHALLENGE_USED

    def test_rotation_closes_the_older_code_of_a_user_caller_and_channel(
        self, store: Store, clock: FrozenClock
    ) -> None:
        """L12: at once; other users, callers and channels keep theirs."""
        old = opened(store)
        others = [opened(store, "bob"), opened(store, channel=Channel.EMAIL)]
        clock.forward(seconds=60)
        others.append(opened(store, caller="other"))
        clock.forward(seconds=60)
        new = opened(store)
        assert answer(self.restart(store), old, RIGHT) is Reason.CHALLENGE_CLOSED
        for usable in (*others, new):
            assert answer(store, usable, RIGHT) is None

    def test_reuse_keeps_challenge_tries_and_end(self, store: Store, clock: FrozenClock) -> None:
        """L12: the tries that were used stay used, and the expiry does not change."""
        first = opened(store, policy=REUSE)
        for _ in range(4):
            answer(store, first, WRONG, policy=REUSE)
        clock.forward(seconds=299)
        second = opened(store, policy=REUSE)
        assert second == replace(first, attempts=4)
        assert (first.life_left, second.life_left) == (REUSE.life, timedelta(seconds=1))
        assert answer(store, second, WRONG, policy=REUSE) is Reason.CODE_UNMATCHED
        assert answer(store, second, RIGHT, policy=REUSE) is Reason.TRIES_SPENT
        clock.forward(seconds=60)
        assert opened(store, policy=REUSE).id != first.id

    def test_a_refused_second_delivery_leaves_a_reused_challenge_open(
        self, store: Store, clock: FrozenClock
    ) -> None:
        """L12: the code of the first message stays valid."""
        first = opened(store, policy=REUSE)
        clock.forward(seconds=60)
        asked = draft()
        again = store.reserve(asked, REUSE)
        assert isinstance(again, Challenge)
        assert again.id == first.id
        store.settle(asked, Outcome(first.id, Reason.DELIVERY_REFUSED))
        assert answer(store, first, RIGHT, policy=REUSE) is None

    @pytest.mark.parametrize("batch", [1, 2, 3, 1000])
    def test_a_purge_deletes_what_is_over_and_nothing_else(
        self, store: Store, clock: FrozenClock, batch: int
    ) -> None:
        """T5: to the second; what is left is answered as before."""
        names = ["a", "b", "c"]
        rows = 0 if self.expires_in_backend else len(names)
        old = [opened(store, name) for name in names]
        clock.forward(minutes=10)
        assert store.purge(POLICY, batch=batch) == rows  # requests are kept ten minutes
        for challenge in old:
            assert answer(store, challenge, RIGHT) is Reason.CHALLENGE_EXPIRED
        clock.now = old[0].expires_at + POLICY.retention - timedelta(seconds=1)
        young = opened(store, "d")
        assert store.purge(POLICY, batch=batch) == 0
        clock.forward(seconds=1)
        assert store.purge(POLICY, batch=batch) == 2 * rows  # challenges and user limits
        assert store.purge(POLICY, batch=batch) == 0
        for challenge in old:
            assert answer(store, challenge, RIGHT) is Reason.CHALLENGE_UNKNOWN
        assert answer(store, young, RIGHT) is None

    @pytest.mark.parametrize("batch", [0, -1])
    def test_a_purge_of_no_row_at_a_time_is_refused(self, store: Store, batch: int) -> None:
        """T5: it would never end."""
        with pytest.raises(ValueError, match="1 row at a time or more"):
            store.purge(POLICY, batch=batch)

    def test_a_purge_keeps_the_lock_of_a_user(self, store: Store, clock: FrozenClock) -> None:
        """T5, A2: a purge does not reset the failures of a user."""
        for _ in range(2):
            challenge = opened(store)
            for _ in range(5):
                answer(store, challenge, WRONG)
            clock.forward(seconds=60)
        store.purge(POLICY)
        assert refused(store).reason is Reason.SEND_LOCKED
        assert store.unlock("alice")
