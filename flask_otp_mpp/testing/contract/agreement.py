"""A state machine that compares a store with the rules of the core."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from flask_otp_mpp.core.challenge import Attempt, Challenge, Channel, Draft
from flask_otp_mpp.core.idempotency import NOT_COUNTED, IdempotencyKey
from flask_otp_mpp.core.limits import UserLimits
from flask_otp_mpp.core.policy import Policy, Resend, SendLimit
from flask_otp_mpp.core.reasons import Outcome, Reason
from flask_otp_mpp.core.user_record import UserRecord
from flask_otp_mpp.testing.contract.builders import (
    CLIENT,
    KEEP,
    RIGHT,
    START,
    WRONG,
    attempt,
    draft,
    named,
    request,
)
from flask_otp_mpp.testing.contract.model import Model
from flask_otp_mpp.testing.contract.suite import StoreTests
from flask_otp_mpp.testing.doubles import FrozenClock

TWO_DAYS = 2 * 24 * 60 * 60
# One user, caller and channel is used most, so that many steps meet there.
SUBJECTS = st.sampled_from(["alice", "alice", "alice", "bob"])
CHANNELS = st.sampled_from([Channel.MOBILE, Channel.MOBILE, Channel.EMAIL])
CALLERS = st.sampled_from(["caller", "caller", "caller", "other"])
CLIENTS = st.sampled_from([CLIENT, CLIENT, CLIENT, "fedcba9876543210"])
DIGESTS = st.sampled_from([(RIGHT,), (WRONG,), (WRONG,), (WRONG, RIGHT), ()])
# Most requests have no key chosen by the caller; there are few keys, so that they meet.
NAMES = st.sampled_from([None, None, None, "one", "two", "three"])
REDO = st.sampled_from([frozenset(), NOT_COUNTED, frozenset({Reason.SEND_LIMITED})])


def policy(resend: Resend, failure_limit: int, disable_after: int) -> Policy:
    return Policy(
        tries=3,
        resend=resend,
        cool_down=timedelta(seconds=10),
        send_limits=(SendLimit(4, timedelta(minutes=10)),),
        user_send_limits=(SendLimit(6, timedelta(minutes=10)),),
        failure_limit=failure_limit,
        disable_after=disable_after,
        first_lock=timedelta(minutes=2),
    )


def recorded(record: UserRecord, policy: Policy) -> UserRecord:
    """Return what must be the same in all stores: what still counts, without the channels.

    The channel of a challenge that a newer one has followed may be lost.
    """
    kept = (one for one in record.challenges if one.expires_at + policy.retention > record.read_at)
    return replace(
        record,
        limits=record.limits.current(policy, record.read_at),
        challenges=tuple(replace(one, channel=None) for one in kept),
    )


class Agreement(RuleBasedStateMachine):
    """Call a store and the model with the same requests; restart the store at any time."""

    def __init__(self, contract: StoreTests) -> None:
        super().__init__()
        self.contract = contract

    @initialize(
        resend=st.sampled_from(Resend),
        failure_limit=st.sampled_from([2, 5]),
        disable_after=st.sampled_from([3, 100]),  # the tries of one challenge are enough
    )
    def begin(self, resend: Resend, failure_limit: int, disable_after: int) -> None:
        self.policy = policy(resend, failure_limit, disable_after)
        self.clock = FrozenClock(START)
        self.folder = tempfile.TemporaryDirectory()
        self.made = self.store = self.contract.make(Path(self.folder.name), self.clock)
        self.model = Model(self.clock)
        self.ids: list[str] = ["never given"]
        self.asked: list[tuple[Draft | Attempt, timedelta]] = []
        self.unsettled: list[tuple[Draft, str, timedelta]] = []
        self.elapsed = timedelta()
        self.names_end = KEEP

    def teardown(self) -> None:
        if hasattr(self, "made"):
            self.contract.end(self.made)
            self.folder.cleanup()

    def ask(self, question: Draft | Attempt) -> Challenge | Outcome:
        found: Challenge | Outcome
        expected: Challenge | Outcome
        if isinstance(question, Draft):
            found = self.store.reserve(question, self.policy)
            expected = self.model.reserve(question, self.policy)
        else:
            found = self.store.spend(question, self.policy)
            expected = self.model.spend(question, self.policy)
        assert found == expected, "the store and the rules disagree"
        return expected

    def key(
        self, name: str | None, not_cached: frozenset[Reason], *asked: object
    ) -> IdempotencyKey:
        """Return an idempotency key; it stands for one request as long as its answer is stored."""
        if name is None:
            return request()
        if self.elapsed >= self.names_end:
            self.names_end = self.elapsed + KEEP
        digest = hashlib.sha256(repr(asked).encode()).hexdigest()
        return named(f"{name} until {self.names_end}", digest, not_cached)

    @rule(
        subject=SUBJECTS,
        caller=CALLERS,
        client=CLIENTS,
        channel=CHANNELS,
        name=NAMES,
        not_cached=REDO,
    )
    def send(
        self,
        subject: str,
        caller: str,
        client: str,
        channel: Channel,
        name: str | None = None,
        not_cached: frozenset[Reason] = frozenset(),
    ) -> None:
        key = self.key(name, not_cached, subject, caller, client, channel)
        question = draft(subject, caller=caller, client=client, channel=channel, key=key)
        self.asked.append((question, self.elapsed))
        answer = self.ask(question)
        if isinstance(answer, Challenge):
            self.ids.append(answer.id)
            self.unsettled.append((question, answer.id, self.elapsed))

    @precondition(lambda self: self.unsettled)
    @rule(
        data=st.data(),
        reason=st.sampled_from([None, None, Reason.DELIVERY_REFUSED]),
        detail=st.sampled_from(["", "no such number"]),
    )
    def settle(self, data: st.DataObject, reason: Reason | None, detail: str) -> None:
        chosen = data.draw(st.sampled_from(self.unsettled))
        self.unsettled.remove(chosen)
        question, challenge_id, at = chosen
        if self.elapsed - at < KEEP:  # no delivery takes longer than its request is remembered
            for store in (self.store, self.model):
                store.settle(question, Outcome(challenge_id, reason, detail))

    @rule(
        data=st.data(),
        subject=SUBJECTS,
        caller=CALLERS,
        client=CLIENTS,
        digests=DIGESTS,
        name=NAMES,
        not_cached=REDO,
    )
    def verify(
        self,
        data: st.DataObject,
        subject: str,
        caller: str,
        client: str,
        digests: tuple[bytes, ...],
        name: str | None = None,
        not_cached: frozenset[Reason] = frozenset(),
    ) -> None:
        known = data.draw(st.sampled_from(self.ids[-3:]) | st.sampled_from(self.ids))
        key = self.key(name, not_cached, subject, caller, client, known, digests)
        question = attempt(known, *digests, subject=subject, caller=caller, client=client, key=key)
        self.asked.append((question, self.elapsed))
        self.ask(question)

    @precondition(lambda self: self.ids[1:])
    @rule(digests=DIGESTS, client=CLIENTS, times=st.integers(1, 4))
    def verify_as_the_user(self, digests: tuple[bytes, ...], client: str, times: int) -> None:
        newest = self.model.challenges.get(self.ids[-1])
        for _ in range(times if newest is not None else 0):
            assert newest is not None
            question = attempt(
                newest.id,
                *digests,
                subject=newest.subject,
                caller=newest.caller,
                client=client,
            )
            self.asked.append((question, self.elapsed))
            self.ask(question)

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        """Repeat a fresh request: an older one is refused before a store is called."""
        fresh = [question for question, at in self.asked if self.elapsed - at < KEEP]
        if fresh:
            self.ask(data.draw(st.sampled_from(fresh[-3:]) | st.sampled_from(fresh)))

    @rule(name=NAMES)
    def get_answer(self, name: str | None) -> None:
        key = self.key(name, frozenset())
        if key.chosen_by_caller:
            found, expected = (at.get_answer(key.value) for at in (self.store, self.model))
            assert found == expected, "the store and the rules disagree"

    @rule()
    def restart(self) -> None:
        self.store = self.contract.restart(self.store)

    @rule(seconds=st.sampled_from([1, 9, 10, 10, 10, 60, 60, 120, 240, 299, 300, 600, TWO_DAYS]))
    def wait(self, seconds: int) -> None:
        """Purge when everything has expired: a store may do so by itself."""
        self.clock.forward(seconds=seconds)
        self.elapsed += timedelta(seconds=seconds)
        if seconds == TWO_DAYS:
            self.purge()

    @rule()
    def purge(self) -> None:
        self.store.purge(self.policy)
        self.model.purge(self.policy)

    @rule(subject=SUBJECTS)
    def look_up(self, subject: str) -> None:
        found, expected = (
            recorded(at.look_up(subject), self.policy) for at in (self.store, self.model)
        )
        assert found == expected, "the store and the rules disagree"

    @rule(
        subject=SUBJECTS,
        clients=st.sampled_from([None, None, (CLIENT,), (CLIENT, "fedcba9876543210")]),
        quota=st.booleans(),
    )
    def unlock(
        self, subject: str, clients: tuple[str, ...] | None = None, *, quota: bool = False
    ) -> None:
        found, expected = (
            at.unlock(subject, clients, quota=quota) for at in (self.store, self.model)
        )
        # A send that counts no longer may be deleted, or not.
        now = self.clock.now
        found, expected = (
            (it or UserLimits()).current(self.policy, now) for it in (found, expected)
        )
        assert found == expected, "the store and the rules disagree"

    @rule(subject=SUBJECTS)
    def forget(self, subject: str) -> None:
        """Forget a user. The result is not compared: a store may have purged before."""
        self.store.forget(subject)
        self.model.forget(subject)


class AgreementTests(StoreTests):
    """The test that a store answers as the rules do."""

    agreement: ClassVar[settings] = settings(
        max_examples=50,
        stateful_step_count=30,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],  # a database may be, a rule is not
    )

    def test_a_store_agrees_with_the_rules_whatever_is_asked(self) -> None:
        """A2, A9, S10, T2: answer by answer, restarted at any time."""
        contract = self

        class AgreementWithThis(Agreement):
            def __init__(self) -> None:
                super().__init__(contract)

        run_state_machine_as_test(AgreementWithThis, settings=self.agreement)
