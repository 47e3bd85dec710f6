"""Failures and sends are the user's: they add up, grow into locks, and are forgotten in time."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_otp_mpp.core.challenge import Channel
from flask_otp_mpp.core.limits import MAX_CLIENTS, ClientLimits, UserLimits
from flask_otp_mpp.core.policy import DAY, Policy, SendLimit
from flask_otp_mpp.core.reasons import FOREVER
from flask_otp_mpp.core.rules import keep_until, unlock

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)
POLICY = Policy()
CLIENT, OTHER = "client", "other"


def failed(
    times: int,
    limits: UserLimits | None = None,
    now: datetime = NOW,
    *,
    client: str = CLIENT,
    policy: Policy = POLICY,
) -> UserLimits:
    found = limits or UserLimits()
    for _ in range(times):
        found = found.with_failure(client, policy, now)
    return found


def lock(limits: UserLimits, now: datetime = NOW, client: str = CLIENT) -> datetime | None:
    return limits.lock_at(client, POLICY, now)


def sent(
    *seconds: int,
    policy: Policy = POLICY,
    channel: Channel = Channel.MOBILE,
    client: str = CLIENT,
    limits: UserLimits | None = None,
) -> UserLimits:
    found = limits or UserLimits()
    for second in seconds:
        found = found.with_send(channel, client, policy, NOW + second * SECOND)
    return found


def wait(limits: UserLimits, at: int, policy: Policy = POLICY, client: str = CLIENT) -> int | None:
    """Return at which second the next send is allowed, None if it is at once."""
    end = limits.send_not_before(Channel.MOBILE, client, policy, NOW + at * SECOND)
    return None if end is None else int((end - NOW).total_seconds())


def test_the_last_failure_of_the_budget_starts_a_lock() -> None:
    """A2: nine wrong codes are counted, the tenth locks for fifteen minutes."""
    assert lock(failed(9)) is None
    locked = failed(10)
    assert lock(locked) == NOW + 15 * MINUTE
    assert lock(locked, NOW + 15 * MINUTE - SECOND) == NOW + 15 * MINUTE
    assert lock(locked, NOW + 15 * MINUTE) is None


def test_a_lock_holds_at_the_client_where_the_codes_were_wrong() -> None:
    """C2: each client has failures and locks of its own; the other one's open a lock nowhere."""
    limits = failed(9, failed(10), client=OTHER)
    assert lock(limits) == NOW + 15 * MINUTE
    assert lock(limits, client=OTHER) is None
    both = failed(1, limits, client=OTHER)
    assert lock(both, client=OTHER) == NOW + 15 * MINUTE
    assert lock(both, client="third") is None


def test_failures_at_all_clients_disable_the_user_for_good() -> None:
    """A3: the fiftieth wrong code in a row, however many clients share them, is the last one."""
    limits = UserLimits()
    for number in range(49):
        limits = failed(1, limits, client=f"client {number % 7}")
    assert lock(limits, client="third") is None
    disabled = failed(1, limits)
    for client in (CLIENT, OTHER, "third"):
        assert lock(disabled, client=client) == FOREVER
        assert lock(disabled, NOW + 1000 * DAY, client) == FOREVER
    assert unlock(disabled, NOW + 1000 * DAY) is not None
    assert lock(disabled.unlocked(), client="third") is None


def test_no_quiet_time_forgets_the_failures_that_disable() -> None:
    """A3: a guess a day is counted as fifty guesses at once are."""
    limits, now = UserLimits(), NOW
    for _ in range(50):
        assert lock(limits, now) is None
        limits = failed(1, limits, now)
        now += 2 * DAY
    assert lock(limits, now) == FOREVER


def test_what_is_kept_of_a_user_is_bounded_however_many_clients_ask() -> None:
    """C2: with one client more than are kept, the one that is forgotten first is dropped."""
    many = Policy(disable_after=100)
    limits = failed(10, client="locked", policy=many)
    for number in range(80):
        limits = failed(1, limits, NOW + SECOND, client=f"client {number}", policy=many)
    assert len(limits.clients) == MAX_CLIENTS
    assert limits.lock_at("locked", many, NOW + SECOND) == NOW + 15 * MINUTE
    assert limits.failures == 90
    kept = [one.client for one in limits.clients]
    assert kept == ["locked", *(f"client {number}" for number in range(49, 80))]
    late = failed(1, limits, NOW + 3 * DAY)
    assert [one.client for one in late.clients] == [CLIENT]


def test_each_lock_is_twice_as_long_up_to_the_longest() -> None:
    """A5: the lock is temporary, and grows with every budget that is spent."""
    limits, now, lengths = UserLimits(), NOW, []
    for _ in range(9):
        limits = replace(failed(10, limits, now), failures=0)
        end = lock(limits, now)
        assert end is not None
        lengths.append((end - now) // MINUTE)
        now = end
    assert lengths == [15, 30, 60, 120, 240, 480, 960, 1440, 1440]


def test_a_hundredth_lock_is_still_a_date() -> None:
    """A5: the doubling neither overflows nor exceeds the longest lock."""
    policy = Policy(first_lock=30 * DAY, longest_lock=30 * DAY, failure_limit=1)
    worn = UserLimits(clients=(ClientLimits(CLIENT, 0, 10_000, None, NOW + DAY),))
    assert lock(failed(1, worn, policy=policy)) == NOW + 30 * DAY


def test_a_quiet_day_forgets_failures_and_locks() -> None:
    """A5: the first lock after it is as short as the first of all."""
    nine = failed(9)
    assert lock(failed(1, nine, NOW + DAY - SECOND), NOW + DAY - SECOND) is not None
    assert lock(failed(1, nine, NOW + DAY), NOW + DAY) is None
    locked = failed(10)
    later = NOW + 15 * MINUTE + DAY  # the quiet time begins when the lock ends
    early = failed(10, locked, later - SECOND)
    assert lock(early, later) == later - SECOND + 30 * MINUTE
    assert lock(failed(10, locked, later), later) == later + 15 * MINUTE


@given(st.lists(st.booleans(), max_size=60))
def test_only_failures_in_a_row_lock(results: list[bool]) -> None:
    """A4: a success resets what was counted; a lock needs ten failures after it."""
    limits, row = UserLimits(), 0
    for right in results:
        limits = limits.with_success(CLIENT) if right else failed(1, limits)
        row = 0 if right else row + 1
        assert limits.failures == row
        counted = [(one.failures, one.locks) for one in limits.clients]
        assert counted == ([(row % 10, row // 10)] if row else [])
        assert (lock(limits) is not None) is (row >= 10)


def test_a_success_at_one_client_ends_no_lock_at_another() -> None:
    """A4, C2: who guesses at one client gains nothing when the user succeeds at another."""
    limits = failed(12, failed(3), client=OTHER).with_success(CLIENT)
    assert limits.failures == 0
    assert lock(limits, client=OTHER) == NOW + 15 * MINUTE
    assert unlock(limits, NOW) is not None
    assert unlock(limits, NOW + 2 * DAY) is None
    assert lock(failed(9, limits)) is None


def test_a_success_does_not_forget_sends() -> None:
    """A4, S2: a right code buys no further messages."""
    assert sent(0, 60).unlocked().sends == sent(0, 60).sends
    assert sent(0, 60).with_success(CLIENT).sends == sent(0, 60).sends


def test_a_failure_does_not_forget_sends() -> None:
    assert failed(1, sent(0, 60), NOW + DAY).sends == sent(0, 60).sends


@pytest.mark.parametrize(
    ("sends", "at", "expected"),
    [
        ([], 0, None),
        ([0], 0, 45),
        ([0], 44, 45),
        ([0], 45, None),
        ([0, 60, 120, 180], 224, 225),
        ([0, 60, 120, 180], 225, None),
        ([0, 60, 120, 180, 240], 300, 600),  # five in ten minutes
        ([0, 60, 120, 180, 240], 599, 600),
        ([0, 60, 120, 180, 240], 600, None),
        ([0, 60, 120, 180, 240, 600], 660, None),  # the first of the five is ten minutes old
        ([0, 60, 120, 180, 590], 600, 635),  # the cool-down of the newest comes after the limit
        (list(range(0, 10_000, 1000)), 10_000, 86_400),  # ten a day
        (list(range(0, 10_000, 1000)), 86_399, 86_400),
        (list(range(0, 10_000, 1000)), 86_400, None),
    ],
)
def test_the_cool_down_and_each_limit_hold_to_the_second(
    sends: list[int], at: int, expected: int | None
) -> None:
    """S2: the end that is told is the moment from which a send is allowed."""
    assert wait(sent(*sends), at) == expected


def test_each_channel_is_limited_by_itself() -> None:
    """S2: a message by e-mail does not delay one by phone."""
    limits = sent(0, channel=Channel.EMAIL)
    assert limits.send_not_before(Channel.EMAIL, CLIENT, POLICY, NOW) is not None
    assert limits.send_not_before(Channel.MOBILE, CLIENT, POLICY, NOW) is None


def test_the_sends_of_one_client_delay_no_other_one() -> None:
    """C3: neither its cool-down nor its limits; a client that has used them up is alone."""
    limits = sent(0, 60, 120, 180, 240)
    assert wait(limits, 241) == 600
    assert wait(limits, 241, client=OTHER) is None
    other = sent(241, 301, 361, 421, 481, client=OTHER, limits=limits)
    assert wait(other, 482, client=OTHER) == 841


def test_all_clients_together_have_a_limit_against_bombing() -> None:
    """C3, S2: ten in ten minutes by two clients are the last ones for a third one, too."""
    limits = sent(0, 60, 120, 180, 240)
    limits = sent(30, 90, 150, 210, 270, client=OTHER, limits=limits)
    assert wait(limits, 300, client="third") == 600
    assert wait(limits, 600, client="third") is None
    strict = Policy(user_send_limits=(SendLimit(3, DAY),))
    three = sent(0, client="first", limits=sent(0, client=OTHER, limits=sent(0)))
    assert wait(three, 60, strict, "third") == 86_400


def test_three_sends_a_day_are_allowed_under_the_strictest_cool_down() -> None:
    """S2: at the bound of the policy a user still gets three codes in a day."""
    strict = Policy(cool_down=DAY / 3, send_limits=(SendLimit(3, DAY),))
    thirds = [0, 28_800, 57_600]
    for number, second in enumerate(thirds):
        assert wait(sent(*thirds[:number], policy=strict), second, strict) is None
    assert wait(sent(*thirds, policy=strict), 86_399, strict) == 86_400
    assert wait(sent(*thirds, policy=strict), 86_400, strict) is None


@given(st.lists(st.integers(0, 4000), min_size=1, max_size=40))
def test_no_stretch_of_time_holds_more_sends_than_its_limit(pauses: list[int]) -> None:
    """S2: whoever asks whenever, no ten minutes see six messages and no day eleven."""
    limits, now, allowed = UserLimits(), NOW, list[datetime]()
    for pause in pauses:
        now += pause * SECOND
        if limits.send_not_before(Channel.MOBILE, CLIENT, POLICY, now) is None:
            limits = limits.with_send(Channel.MOBILE, CLIENT, POLICY, now)
            allowed.append(now)
    for limit in POLICY.send_limits:
        for start in allowed:
            within = [moment for moment in allowed if start <= moment < start + limit.window]
            assert len(within) <= limit.count
    assert all(b - a >= POLICY.cool_down for a, b in itertools.pairwise(allowed))


def test_sends_that_no_limit_looks_back_to_are_dropped() -> None:
    """What is kept of a user does not grow with the years."""
    limits = sent(*range(0, 30 * 86_400, 9000))
    assert len(limits.sends) <= 10


@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 3))
def test_limits_are_kept_while_it_can_change_an_answer(
    failures: int, sends: int, days: int
) -> None:
    """T5: whoever is deleted at this time could as well have been unknown."""
    now = NOW + days * DAY
    limits = failed(failures, sent(*range(0, sends * 60, 60)), now)
    end = keep_until(limits, POLICY, now)
    limits = replace(limits, failures=0)  # with failures in a row they are kept in any case
    assert lock(limits, end) is None
    assert limits.send_not_before(Channel.MOBILE, CLIENT, POLICY, end) is None
    assert failed(1, limits, end).clients == failed(1, None, end).clients
    assert end >= now + POLICY.life + POLICY.retention  # a challenge of now is known as long
