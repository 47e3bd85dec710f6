"""A state machine: the Lua scripts give the same answers as the rules in Python."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from flask_otp_mpp.core.challenge import Attempt, Challenge, Channel, Draft
from flask_otp_mpp.core.limits import UserLimits
from flask_otp_mpp.core.policy import Policy, Resend, SendLimit
from flask_otp_mpp.core.reasons import FOREVER, Outcome, Reason
from flask_otp_mpp.stores.redis import scripts
from flask_otp_mpp.stores.redis.store import RedisStore
from flask_otp_mpp.testing import FrozenClock
from flask_otp_mpp.testing.contract.agreement import recorded
from flask_otp_mpp.testing.contract.builders import CLIENT, KEEP, RIGHT, WRONG, attempt, draft
from flask_otp_mpp.testing.contract.model import Model
from tests.stores.redis_server import opened_store

pytestmark = pytest.mark.server

# One user, caller and channel is used most, so that many steps meet there.
SUBJECTS: Final = st.sampled_from(["ada", "ada", "ada", "Ada"])
CHANNELS: Final = st.sampled_from([Channel.MOBILE, Channel.MOBILE, Channel.EMAIL])
CALLERS: Final = st.sampled_from(["caller", "caller", "caller", "other"])
CLIENTS: Final = st.sampled_from([CLIENT, CLIENT, CLIENT, "fedcba9876543210", "0000000000000000"])
DIGESTS: Final = st.sampled_from(
    [(RIGHT,), (WRONG,), (WRONG,), (WRONG,), (WRONG, RIGHT), (RIGHT, WRONG), ()]
)
# Odd microseconds, so that a rounded digit anywhere moves a boundary.
LENGTHS: Final = st.sampled_from(
    [timedelta(microseconds=1), *(timedelta(seconds=n) for n in (9, 10, 60, 121, 300, 3600))]
)
POLICIES: Final = st.builds(
    Policy,
    tries=st.integers(1, 5),
    life=st.sampled_from([timedelta(seconds=300), timedelta(seconds=45, microseconds=7)]),
    resend=st.sampled_from(Resend),
    cool_down=st.sampled_from([timedelta(), timedelta(seconds=10, microseconds=1)]),
    send_limits=st.sampled_from(
        [
            (SendLimit(4, timedelta(minutes=10)),),
            (SendLimit(2, timedelta(minutes=1)), SendLimit(3, timedelta(minutes=2))),
        ]
    ),
    user_send_limits=st.sampled_from([None, (SendLimit(5, timedelta(minutes=10)),)]),
    failure_limit=st.sampled_from([1, 2, 2, 3, 6]),
    disable_after=st.sampled_from([4, 50, 100]),
    first_lock=st.just(timedelta(minutes=2, microseconds=3)),
    longest_lock=st.sampled_from([timedelta(minutes=5), timedelta(days=1)]),
    forget_after=st.just(timedelta(days=1)),
    retention=st.sampled_from([timedelta(minutes=20), timedelta(days=1)]),
)


class Agreement(RuleBasedStateMachine):
    """A2, A9, S10, T2: Redis and the model get the same calls at the same time."""

    def __init__(self) -> None:
        super().__init__()
        self.opened = ExitStack()

    @initialize(policy=POLICIES)
    def begin(self, policy: Policy) -> None:
        self.policy = policy
        self.clock = FrozenClock()
        self.start = self.clock.now
        self.redis = self.opened.enter_context(opened_store(self.clock))
        self.model = Model(self.clock)
        self.ids: list[str] = ["never given", "latest:MOBILE"]
        self.asked: list[tuple[Draft | Attempt, timedelta]] = []
        self.unsettled: list[tuple[Draft, str, timedelta]] = []

    def teardown(self) -> None:
        self.opened.close()

    @property
    def elapsed(self) -> timedelta:
        return self.clock.now - self.start

    def ask(self, question: Draft | Attempt) -> Challenge | Outcome:
        stores: tuple[RedisStore | Model, ...] = (self.redis, self.model)
        if isinstance(question, Draft):
            answers = [store.reserve(question, self.policy) for store in stores]
        else:
            answers = [store.spend(question, self.policy) for store in stores]
        assert answers[0] == answers[1]
        return answers[0]

    @rule(subject=SUBJECTS, caller=CALLERS, client=CLIENTS, channel=CHANNELS)
    def send(self, subject: str, caller: str, client: str, channel: Channel) -> None:
        question = draft(subject, caller=caller, client=client, channel=channel)
        self.asked.append((question, self.elapsed))
        answer = self.ask(question)
        if isinstance(answer, Challenge):
            self.ids.append(answer.id)
            self.unsettled.append((question, answer.id, self.elapsed))

    @precondition(lambda self: self.unsettled)
    @rule(
        data=st.data(),
        reason=st.sampled_from([None, None, Reason.DELIVERY_REFUSED]),
        detail=st.sampled_from(["", "no such number", "\u2014 \x00 {} \U0001f4de"]),
        ends=st.booleans(),
    )
    def settle(self, data: st.DataObject, reason: Reason | None, detail: str, ends: bool) -> None:
        chosen = data.draw(st.sampled_from(self.unsettled))
        self.unsettled.remove(chosen)
        question, challenge_id, at = chosen
        if self.elapsed - at < KEEP:  # no delivery takes longer than its answer is stored
            outcome = Outcome(challenge_id, reason, detail, self.clock.now if ends else None)
            self.redis.settle(question, outcome)
            self.model.settle(question, outcome)

    @rule(data=st.data(), subject=SUBJECTS, caller=CALLERS, client=CLIENTS, digests=DIGESTS)
    def verify(
        self,
        data: st.DataObject,
        subject: str,
        caller: str,
        client: str,
        digests: tuple[bytes, ...],
    ) -> None:
        known = data.draw(st.sampled_from(self.ids[-3:]) | st.sampled_from(self.ids))
        question = attempt(known, *digests, subject=subject, caller=caller, client=client)
        self.asked.append((question, self.elapsed))
        self.ask(question)

    @precondition(lambda self: self.model.challenges)
    @rule(data=st.data(), digests=DIGESTS, client=CLIENTS, times=st.integers(1, 6))
    def verify_as_the_user(
        self, data: st.DataObject, digests: tuple[bytes, ...], client: str, times: int
    ) -> None:
        newest_last = list(self.model.challenges.values())
        known = data.draw(st.sampled_from(newest_last[-2:]) | st.sampled_from(newest_last))
        for _ in range(times):
            question = attempt(
                known.id, *digests, subject=known.subject, caller=known.caller, client=client
            )
            self.asked.append((question, self.elapsed))
            self.ask(question)

    @precondition(lambda self: self.model.challenges)
    @rule(first=st.integers(0, 40), number=st.integers(1, 12))
    def fail_at_many_clients(self, first: int, number: int) -> None:
        """Come upon the bound of the clients for which something is kept."""
        known = list(self.model.challenges.values())[-1]
        for client in range(first, first + number):
            asked = attempt(
                known.id, WRONG, subject=known.subject, caller=known.caller, client=f"{client:016}"
            )
            self.ask(asked)

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        """Only a fresh request: an older one is refused before it reaches a store."""
        fresh = [question for question, at in self.asked if self.elapsed - at < KEEP]
        if fresh:
            self.ask(data.draw(st.sampled_from(fresh)))

    @rule(length=LENGTHS, times=st.integers(1, 3))
    def wait(self, length: timedelta, times: int) -> None:
        self.forward(length * times)

    @precondition(lambda self: self.model.challenges or self.model.user_limits)
    @rule(data=st.data(), micros=st.integers(-1, 1))
    def wait_for_an_end(self, data: st.DataObject, micros: int) -> None:
        """Go to a time at which something ends, or a microsecond before or after it."""
        ends = {challenge.expires_at for challenge in self.model.challenges.values()}
        ends |= {end + self.policy.retention for end in ends}
        for limits in self.model.user_limits.values():
            for one in limits.clients:
                ends |= {end for end in (one.locked_until, one.forget_at) if end}
            limited = (*self.policy.send_limits, *self.policy.overall_send_limits)
            windows = [limit.window for limit in limited]
            for sent in limits.sends:
                ends |= {sent.at + length for length in (self.policy.cool_down, *windows)}
        later = sorted(end for end in ends if end > self.clock.now)
        if later:
            end = data.draw(st.sampled_from(later)) + timedelta(microseconds=micros)
            self.forward(end - self.clock.now)

    def lock_of(self, user: str) -> datetime | None:
        limits = self.model.user_limits.get(user, UserLimits())
        end = limits.lock_at(CLIENT, self.policy, self.clock.now)
        return None if end == FOREVER else end

    @precondition(lambda self: any(map(self.lock_of, self.model.user_limits)))
    @rule(micros=st.sampled_from([-1, 0, 0]))
    def wait_for_the_lock(self, micros: int) -> None:
        """Go to the end of a lock and let its user send and verify."""
        locks = {user: self.lock_of(user) for user in self.model.user_limits}
        user, end = next((user, end) for user, end in locks.items() if end is not None)
        self.forward(end + timedelta(microseconds=micros) - self.clock.now)
        self.send(user, "caller", CLIENT, Channel.MOBILE)
        own = [known for known in self.model.challenges.values() if known.subject == user]
        for known in own[-1:]:
            self.ask(attempt(known.id, WRONG, subject=user, caller=known.caller))

    @precondition(lambda self: self.unsettled)
    @rule()
    def answer_before_the_delivery_fails(self) -> None:
        """L5: a used challenge stays used."""
        question, challenge_id, at = self.unsettled.pop()
        self.ask(attempt(challenge_id, RIGHT, subject=question.subject, caller=question.caller))
        if self.elapsed - at < KEEP:
            refusal = Outcome(challenge_id, Reason.DELIVERY_REFUSED)
            self.redis.settle(question, refusal)
            self.model.settle(question, refusal)
        self.ask(attempt(challenge_id, RIGHT, subject=question.subject, caller=question.caller))

    def forward(self, length: timedelta) -> None:
        """Purge the model at once, since Redis answers as if expired data were deleted."""
        self.clock.now += length
        self.model.purge(self.policy)

    @rule(subject=SUBJECTS)
    def look_up(self, subject: str) -> None:
        found, expected = (
            recorded(at.look_up(subject), self.policy) for at in (self.redis, self.model)
        )
        assert found == expected

    @rule(subject=SUBJECTS, clients=st.sampled_from([None, (CLIENT,)]), quota=st.booleans())
    def unlock(self, subject: str, clients: tuple[str, ...] | None, quota: bool) -> None:
        found, expected = (
            at.unlock(subject, clients, quota=quota) for at in (self.redis, self.model)
        )
        assert found == expected

    @rule(
        resend=st.none() | st.sampled_from(Resend),
        failure_limit=st.sampled_from([1, 2, 2, 3, 6]),
        disable_after=st.sampled_from([4, 50, 100]),
        tries=st.integers(1, 5),
    )
    def reconfigure(
        self, resend: Resend | None, failure_limit: int, disable_after: int, tries: int
    ) -> None:
        """Change the policy, as a new deployment would."""
        self.policy = replace(
            self.policy,
            resend=resend or self.policy.resend,
            failure_limit=failure_limit,
            disable_after=disable_after,
            tries=tries,
        )


TestAgreement = Agreement.TestCase
TestAgreement.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


UNLOCKED: Final = "limits = select(2, unlock(limits, now)) or limits\nelse"


def replaced(script: str, was: str, becomes: str) -> scripts.Script:
    changed = scripts.Script(script)
    assert was in changed.source
    changed.source = changed.source.replace(was, becomes)
    changed.sha = "0" * 40  # unknown, so that the source is sent
    return changed


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        (
            "local failures, locks, locked_until = was.failures + 1",
            "local failures, locks, locked_until = 1",
        ),
        ("return entry.client == client or entry.client == EVERY_CLIENT", "return false"),
        ("return entry.client == client or entry.client == EVERY_CLIENT", "return true"),
        ("{failures = limits.failures + 1, clients = others", "{failures = 0, clients = others"),
        ("if limits.failures >= policy.disable_after", "if false"),
    ],
    ids=[
        "forgets failures",
        "knows no client",
        "locks at every client",
        "does not count over all",
        "does not disable",
    ],
)
def test_the_state_machine_finds_a_difference(
    was: str, becomes: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T2: a script that departs from the rules in one place does not pass."""
    monkeypatch.setattr(scripts, "SPEND", replaced("spend", was, becomes))
    machine = Agreement()
    machine.begin(Policy(failure_limit=2, disable_after=4))
    machine.send("ada", "caller", CLIENT, Channel.MOBILE)

    def fail_at_four_clients() -> None:
        for client in (CLIENT, CLIENT, "one", "two", "three"):
            machine.ask(attempt(machine.ids[-1], WRONG, subject="ada", client=client))

    with pytest.raises(AssertionError):
        fail_at_four_clients()
    machine.teardown()


def test_a_success_that_ends_the_locks_at_other_clients_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """T2, C2: the state machine sees it at the next attempt there."""
    generous = replaced("spend", "limits = with_success(limits, client)\nelse", UNLOCKED)
    monkeypatch.setattr(scripts, "SPEND", generous)
    machine = Agreement()
    machine.begin(Policy(failure_limit=2))
    machine.send("ada", "caller", CLIENT, Channel.MOBILE)
    email = draft("ada", channel=Channel.EMAIL)
    machine.ask(email)
    for client, digest in ((CLIENT, WRONG), (CLIENT, WRONG), ("other", RIGHT)):
        machine.ask(attempt(machine.ids[-1], digest, subject="ada", client=client))
    with pytest.raises(AssertionError):
        machine.ask(attempt(email.id, WRONG, subject="ada"))
    machine.teardown()


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("{failures = 0, clients = others", "{failures = limits.failures, clients = others"),
        ("if one.client ~= client then", "if true then"),
    ],
    ids=["over all clients", "at the client"],
)
def test_a_success_that_resets_no_count_is_found(
    was: str, becomes: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T2, A4: three wrong codes lock or disable only if they are in a row."""
    monkeypatch.setattr(scripts, "SPEND", replaced("spend", was, becomes))
    machine = Agreement()
    at_the_client = was == "if one.client ~= client then"
    machine.begin(Policy(failure_limit=3, disable_after=100 if at_the_client else 3))
    for channel in (Channel.MOBILE, Channel.EMAIL):
        machine.send("ada", "caller", CLIENT, channel)
    first, second = machine.ids[-2:]
    for known, digest in ((first, WRONG), (first, WRONG), (first, RIGHT)):
        machine.ask(attempt(known, digest, subject="ada"))
    with pytest.raises(AssertionError):
        machine.ask(attempt(second, WRONG, subject="ada"))
    machine.teardown()


def test_a_send_limit_that_counts_the_sends_of_other_clients_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """T2, C3: the cool-down of one client delays no other one."""
    by_anybody = replaced("reserve", "if concerns(send, client) then own", "if true then own")
    monkeypatch.setattr(scripts, "RESERVE", by_anybody)
    machine = Agreement()
    machine.begin(Policy())
    machine.send("ada", "caller", CLIENT, Channel.MOBILE)
    with pytest.raises(AssertionError):
        machine.send("ada", "caller", "other", Channel.MOBILE)
    machine.teardown()


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("MAX_CLIENTS = 32", "MAX_CLIENTS = 33"),
        ("one.forget_at < clients[first].forget_at", "one.forget_at <= clients[first].forget_at"),
    ],
    ids=["keeps one more", "drops the last among equals"],
)
def test_another_choice_of_the_client_that_is_dropped_is_found(
    was: str, becomes: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T2, C2: of 33 clients that failed at one moment, the first is dropped."""
    policy = Policy(
        cool_down=timedelta(),
        send_limits=(SendLimit(99, timedelta(days=1)),),
        failure_limit=2,
        disable_after=100,
    )

    def fail_at_33_clients() -> None:
        machine = Agreement()
        machine.begin(policy)
        with machine.opened:
            for number in (*range(33), 0, 2):
                machine.send("ada", "caller", CLIENT, Channel.MOBILE)
                client = f"{number:016}"
                machine.ask(attempt(machine.ids[-1], WRONG, subject="ada", client=client))

    fail_at_33_clients()
    monkeypatch.setattr(scripts, "SPEND", replaced("spend", was, becomes))
    with pytest.raises(AssertionError):
        fail_at_33_clients()
