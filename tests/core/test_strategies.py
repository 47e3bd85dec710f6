"""A search over strategies of attackers, by the pure rules: none exceeds what the policy states."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from math import inf

import pytest
from hypothesis import given, settings, target
from hypothesis import strategies as st

from flask_otp_mpp.core.challenge import Channel
from flask_otp_mpp.core.policy import DAY, Policy, Resend, SendLimit
from tests.core.attack import SECOND, START, Attack, Help, attack_greedily, guess_all

Move = tuple[str, int]
FOREVER_HELPED = 10**6
MOST_GUESSES = 250
"""Of a policy in the search: a day of it must not take minutes."""
CLIENTS = 8


def _send(attack: Attack, number: int) -> None:
    channel = list(Channel)[number % 2]
    attack.send(channel, f"client {number % CLIENTS}", f"acquirer {number % 3}")


def _send_all(attack: Attack, number: int) -> None:
    for client in range(CLIENTS):
        while attack.send(Channel.MOBILE, f"client {client}", f"acquirer {number} {attack.sends}"):
            pass


def _guess(attack: Attack, number: int) -> None:
    for code in attack.usable()[number % CLIENTS :][:1]:
        attack.guess(code)


def _guess_all(attack: Attack, _number: int) -> None:
    guess_all(attack)


def _succeed(attack: Attack, number: int) -> None:
    for code in attack.usable()[number % CLIENTS :][:1]:
        attack.succeed(code)


def _unlock(attack: Attack, _number: int) -> None:
    attack.unlock()


def _wait(attack: Attack, number: int) -> None:
    policy, client = attack.policy, f"client {number % CLIENTS}"
    lock = attack.limits.lock_at(client, policy, attack.now) or attack.now
    send = attack.limits.send_not_before(Channel.MOBILE, client, policy, attack.now) or attack.now
    windows = [limit.window for limit in policy.overall_send_limits]
    times = [
        SECOND,
        policy.cool_down,
        policy.life,
        policy.life - SECOND,
        DAY - policy.life,
        send - attack.now,
        *windows,
        *(window - policy.life for window in windows),
        *([lock - attack.now] if lock < attack.now + 30 * DAY else []),
    ]
    attack.wait(times[number % len(times)])


MOVES: Mapping[str, Callable[[Attack, int], None]] = {
    "send": _send,
    "send all": _send_all,
    "guess": _guess,
    "guess all": _guess_all,
    "succeed": _succeed,
    "unlock": _unlock,
    "wait": _wait,
}
programs = st.lists(
    st.tuples(st.sampled_from(list(MOVES)), st.integers(0, 30)), min_size=10, max_size=60
)


def _limit(hours: int, more: int) -> SendLimit:
    """Return a limit of little more than the three sends a day that each must allow."""
    return SendLimit(-(-hours // 8) + more, hours * timedelta(hours=1))


send_limits = st.lists(
    st.builds(_limit, st.sampled_from([1, 2, 7, 8, 12, 24, 48, 168]), st.integers(0, 5)),
    min_size=1,
    max_size=3,
).map(tuple)
policies = st.builds(
    Policy,
    life=st.sampled_from([30, 300, 600]).map(lambda n: n * SECOND),
    tries=st.integers(1, 5),
    resend=st.sampled_from(Resend),
    cool_down=st.sampled_from([0, 45, 600]).map(lambda n: n * SECOND),
    send_limits=send_limits,
    user_send_limits=st.none() | send_limits,
    failure_limit=st.integers(1, 12),
    disable_after=st.integers(1, 60),
    first_lock=st.sampled_from([60, 900]).map(lambda n: n * SECOND),
).filter(lambda policy: policy.guesses_a_day(1, FOREVER_HELPED) <= MOST_GUESSES)


def nearness(attack: Attack, channels: int) -> float:
    """Return how near an attack has come to a bound of its policy; beyond 1 it has exceeded one."""
    policy = attack.policy
    if attack.most_in_a_row() > policy.disable_after:
        return inf
    days = attack.busiest_days()
    return max((n / policy.guesses_a_day(channels, resets) for n, resets in days), default=0.0)


def play(policy: Policy, program: Sequence[Move]) -> float:
    """Make an attack of a program; return its nearness, towards which the search goes."""
    attack = Attack(policy)
    for move, number in program:
        MOVES[move](attack, number)
    near = nearness(attack, channels=2)
    target(min(near, 2.0))
    return near


@pytest.mark.slow
@settings(max_examples=250, deadline=None)
@given(policies, programs)
def test_no_strategy_exceeds_the_bound_that_a_policy_states(
    policy: Policy, program: Sequence[Move]
) -> None:
    """A3: sends, wrong codes and waits, at several clients, for several acquirers and channels.

    The user's own successes and unlocks come between. The search goes towards the bound.
    """
    assert play(policy, program) <= 1


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(programs)
def test_no_strategy_exceeds_the_bound_of_the_defaults(program: Sequence[Move]) -> None:
    """A3: the same for the policy that most wallets have."""
    assert play(Policy(), program) <= 1


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(policies, st.sampled_from(Help), st.integers(1, 20), st.integers(1, 2))
def test_the_greedy_strategy_stays_within_the_bound_of_each_policy(
    policy: Policy, help_: Help, clients: int, channels: int
) -> None:
    """A3: with one client, or with so many that none of them is ever locked."""
    attack = attack_greedily(policy, help_, clients=clients, channels=channels)
    assert nearness(attack, channels) <= 1


@pytest.mark.parametrize(
    ("help_", "channels", "reached", "bound"),
    [
        (Help.NONE, 1, 50, 50),
        (Help.NONE, 2, 50, 50),
        (Help.UNLOCK, 1, 150, 150),
        (Help.UNLOCK, 2, 300, 300),
        # A success takes a try of a code, and must come before OTP is disabled.
        (Help.SUCCESS, 1, 147, 150),
        (Help.SUCCESS, 2, 294, 300),
    ],
)
def test_the_bound_of_the_defaults_is_reached(
    help_: Help, channels: int, reached: int, bound: int
) -> None:
    """A3: by forty clients, with codes from before the day. So it can't be stated any lower."""
    policy = Policy()
    attack = attack_greedily(policy, help_, clients=40, channels=channels)
    guesses, resets = max(attack.busiest_days())
    assert guesses == reached
    assert policy.guesses_a_day(channels, FOREVER_HELPED if resets else 0) == bound


def test_a_single_client_needs_hours_for_the_guesses_that_many_make_at_once() -> None:
    """A3, A5: it reaches the bound too, but four locks of 15 minutes and more come between."""
    attack = Attack(Policy())
    while attack.limits.failures < attack.policy.disable_after:
        if not attack.usable() and not attack.send(Channel.MOBILE, "client", "acquirer"):
            attack.wait(SECOND)
        guess_all(attack)
    assert len(attack.wrong) == 50
    locks = timedelta(minutes=15 + 30 + 60 + 120)
    assert locks < attack.now - START < locks + timedelta(minutes=10)


@pytest.mark.parametrize("pause", [timedelta(hours=1), DAY, 400 * DAY])
def test_a_patient_attacker_gets_no_further_guess(pause: timedelta) -> None:
    """A3: at each client one guess a year counts as fifty at once do; an unlock begins anew."""
    attack = Attack(Policy())
    for number in range(120):
        attack.send(Channel.MOBILE, f"client {number % 3}", "acquirer")
        for code in attack.usable():
            attack.guess(code)
        attack.wait(pause)
    assert len(attack.wrong) == 50
    attack.unlock()
    assert attack.send(Channel.MOBILE, "client 0", "acquirer")
