"""Tests of what an operator asks of a store: look a user up, and unlock them in part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import timedelta
from functools import partial

from flask_otp_mpp.core.challenge import Challenge, Channel
from flask_otp_mpp.core.limits import ClientLimits, CountedSend, UserLimits
from flask_otp_mpp.core.policy import DAY, SendLimit
from flask_otp_mpp.core.ports import Store
from flask_otp_mpp.core.reasons import FOREVER, Outcome, Reason
from flask_otp_mpp.core.user_record import MAX_CHALLENGES, UserRecord, record_of
from flask_otp_mpp.testing.contract.builders import (
    CLIENT,
    POLICY,
    QUICK,
    RIGHT,
    WRONG,
    answer,
    attempt,
    draft,
    opened,
    refused,
)
from flask_otp_mpp.testing.contract.limits import FEW, LOCKING, OTHER
from flask_otp_mpp.testing.contract.lookalikes import ALIKE
from flask_otp_mpp.testing.contract.race import THREADS, together
from flask_otp_mpp.testing.contract.suite import StoreTests
from flask_otp_mpp.testing.doubles import FrozenClock


class OperatorTests(StoreTests):
    """Tests of ``look_up``, and of ``unlock`` at one client and with the quota."""

    def test_what_counts_for_a_user_is_looked_up(self, store: Store, clock: FrozenClock) -> None:
        """A9: failures, locks and sends by client, and each challenge; also after a restart."""
        begun = clock.now
        first = opened(store)
        for _ in range(2):
            answer(store, first, WRONG)
        clock.forward(seconds=60)
        second = opened(store, caller="other", client=OTHER, channel=Channel.EMAIL)
        clock.forward(seconds=1)
        wrong = attempt(second.id, RIGHT, caller="other", client=OTHER)
        assert store.spend(wrong, POLICY) == Outcome(second.id)
        clock.forward(seconds=1)
        third = opened(store)
        assert self.restart(store).look_up("alice") == UserRecord(
            clock.now,
            UserLimits(
                0,
                (ClientLimits(CLIENT, 2, 0, None, begun + POLICY.forget_after),),
                (
                    CountedSend(Channel.MOBILE, CLIENT, begun),
                    CountedSend(Channel.EMAIL, OTHER, begun + timedelta(seconds=60)),
                    CountedSend(Channel.MOBILE, CLIENT, clock.now),
                ),
            ),
            (
                record_of(replace(first, attempts=2, closed_at=clock.now)),
                record_of(replace(second, attempts=1, used_at=clock.now - timedelta(seconds=1))),
                record_of(third),
            ),
        )

    def test_of_a_user_of_whom_nothing_is_known_nothing_is_looked_up(
        self, store: Store, clock: FrozenClock
    ) -> None:
        """A9: but the time."""
        opened(store, "bob")
        assert store.look_up("alice") == UserRecord(clock.now)

    def test_to_look_up_changes_nothing(self, store: Store) -> None:
        """A2: neither a try nor a send is counted, and nothing can be forgotten of it."""
        store.look_up("alice")
        assert store.forget("alice") is False
        challenge = opened(store, policy=LOCKING)
        answer(store, challenge, WRONG, policy=LOCKING)
        before = store.look_up("alice")
        for _ in range(10):
            assert store.look_up("alice") == before
        for _ in range(4):
            assert answer(store, challenge, WRONG, policy=LOCKING) is Reason.CODE_UNMATCHED
        assert answer(store, challenge, RIGHT, policy=LOCKING) is Reason.TRIES_SPENT

    def test_what_is_looked_up_holds_no_digest_of_a_code(self, store: Store) -> None:
        """P2: who may ask for it could otherwise look for the code."""
        opened(store)
        found = store.look_up("alice")
        assert found.challenges
        assert repr(RIGHT)[2:-1] not in repr(asdict(found))

    def test_users_who_look_alike_are_looked_up_apart(self, store: Store) -> None:
        """A9: each has what is their own."""
        subjects = {subject for pair in ALIKE for subject in pair}
        challenges = {subject: opened(store, subject) for subject in subjects}
        for subject, challenge in challenges.items():
            found = store.look_up(subject)
            assert found.challenges == (record_of(challenge),)
            assert len(found.limits.sends) == 1

    def test_the_newest_challenges_are_looked_up(self, store: Store, clock: FrozenClock) -> None:
        """O1: a record is bounded, however long challenges are kept."""
        policy = replace(QUICK, send_limits=(SendLimit(99, DAY),))
        made = []
        for _ in range(MAX_CHALLENGES + 3):
            clock.forward(seconds=1)
            made.append(opened(store, policy=policy).id)
        found = store.look_up("alice").challenges
        assert [one.id for one in found] == made[-MAX_CHALLENGES:]

    def test_an_unlock_tells_what_was_forgotten(self, store: Store, clock: FrozenClock) -> None:
        """A5: the second one finds nothing."""
        challenge = opened(store, policy=LOCKING)
        for _ in range(5):
            answer(store, challenge, WRONG, policy=LOCKING)
        end = clock.now + LOCKING.first_lock
        lock = ClientLimits(CLIENT, 0, 1, end, end + LOCKING.forget_after)
        assert store.unlock("alice") == UserLimits(5, (lock,))
        assert self.restart(store).unlock("alice") is None
        assert len(store.look_up("alice").limits.sends) == 1

    def test_an_unlock_at_one_client_leaves_the_locks_at_others(self, store: Store) -> None:
        """A5, C2: nor does it lower the count over all clients."""
        for client in (CLIENT, OTHER):
            challenge = opened(store, caller=client, client=client, policy=LOCKING)
            for _ in range(5):
                answer(store, challenge, WRONG, client=client, policy=LOCKING)
        forgotten = store.unlock("alice", [OTHER])
        assert forgotten is not None
        assert (forgotten.failures, [one.client for one in forgotten.clients]) == (0, [OTHER])
        store = self.restart(store)
        assert refused(store, policy=LOCKING).reason is Reason.SEND_LOCKED
        opened(store, caller=OTHER, client=OTHER, policy=LOCKING)
        assert store.unlock("alice", [OTHER, "third"]) is None
        assert store.look_up("alice").limits.failures == 10

    def test_an_unlock_at_one_client_enables_no_disabled_user(self, store: Store) -> None:
        """A3: only an unlock at all clients ends what all clients have counted."""
        for client, times in ((CLIENT, 4), (OTHER, 3)):
            challenge = opened(store, caller=client, client=client, policy=FEW)
            for _ in range(times):
                answer(store, challenge, WRONG, client=client, policy=FEW)
        assert store.unlock("alice", [CLIENT]) is not None
        assert refused(store, policy=FEW).until == FOREVER
        assert store.unlock("alice") is not None
        opened(store, policy=FEW)

    def test_an_unlock_with_the_quota_lets_a_code_be_sent_at_once(self, store: Store) -> None:
        """S2: without it, the limits hold as before; the open code stays valid."""
        challenge = opened(store)
        answer(store, challenge, WRONG)
        assert store.unlock("alice") is not None
        assert refused(store).reason is Reason.SEND_LIMITED
        forgotten = store.unlock("alice", quota=True)
        assert forgotten is not None
        assert len(forgotten.sends) == 1
        assert store.unlock("alice", quota=True) is None
        store = self.restart(store)
        assert answer(store, challenge, RIGHT) is None
        opened(store)
        assert refused(store).reason is Reason.SEND_LIMITED

    def test_the_quota_of_one_client_can_be_forgotten(self, store: Store) -> None:
        """C3, S2: the sends by others are counted as before."""
        for client in (CLIENT, OTHER):
            opened(store, caller=client, client=client)
        forgotten = store.unlock("alice", [OTHER], quota=True)
        assert forgotten is not None
        assert [sent.client for sent in forgotten.sends] == [OTHER]
        assert refused(store).reason is Reason.SEND_LIMITED
        opened(store, caller=OTHER, client=OTHER)

    def test_of_many_unlocks_one_tells_what_it_forgot(self, store: Store) -> None:
        """A9: each is one atomic step."""
        challenge = opened(store)
        answer(store, challenge, WRONG)
        found = together([partial(store.unlock, "alice", quota=True)] * THREADS)
        [forgotten] = [one for one in found if one is not None]
        assert (forgotten.failures, len(forgotten.sends)) == (1, 1)

    def test_sends_and_unlocks_at_once_lose_no_count(self, store: Store) -> None:
        """S1: each send is counted, and either forgotten by an unlock or still counted."""
        calls: list[Callable[[], Challenge | Outcome | UserLimits | None]] = [
            *(partial(store.reserve, draft(), QUICK) for _ in range(THREADS)),
            *[partial(store.unlock, "alice", quota=True)] * 4,
        ]
        found = together(calls)
        granted = sum(isinstance(one, Challenge) for one in found)
        forgotten = sum(len(one.sends) for one in found if isinstance(one, UserLimits))
        assert granted == forgotten + len(store.look_up("alice").limits.sends)
