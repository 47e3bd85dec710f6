"""Failures and sends are the user's: they add up, grow into locks, and are forgotten in time."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_otp_mpp.core.challenge import Channel
from flask_otp_mpp.core.limits import UserLimits
from flask_otp_mpp.core.policy import DAY, Policy, SendLimit
from flask_otp_mpp.core.rules import keep_until

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)
POLICY = Policy()


def failed(times: int, limits: UserLimits | None = None, now: datetime = NOW) -> UserLimits:
    found = limits or UserLimits()
    for _ in range(times):
        found = found.with_failure(POLICY, now)
    return found


def sent(*seconds: int, policy: Policy = POLICY, channel: Channel = Channel.MOBILE) -> UserLimits:
    found = UserLimits()
    for second in seconds:
        found = found.with_send(channel, policy, NOW + second * SECOND)
    return found


def wait(limits: UserLimits, at: int, policy: Policy = POLICY) -> int | None:
    """Return at which second the next send is allowed, None if it is at once."""
    end = limits.send_not_before(Channel.MOBILE, policy, NOW + at * SECOND)
    return None if end is None else int((end - NOW).total_seconds())


def test_the_last_failure_of_the_budget_starts_a_lock() -> None:
    """A2: nine wrong codes are counted, the tenth locks for fifteen minutes."""
    assert failed(9).lock_at(NOW) is None
    locked = failed(10)
    assert locked.lock_at(NOW) == NOW + 15 * MINUTE
    assert locked.lock_at(NOW + 15 * MINUTE - SECOND) == NOW + 15 * MINUTE
    assert locked.lock_at(NOW + 15 * MINUTE) is None


def test_each_lock_is_twice_as_long_up_to_the_longest() -> None:
    """A5: the lock is temporary, and grows with every budget that is spent."""
    limits, now, lengths = UserLimits(), NOW, []
    for _ in range(9):
        limits = failed(10, limits, now)
        end = limits.lock_at(now)
        assert end is not None
        lengths.append((end - now) // MINUTE)
        now = end
    assert lengths == [15, 30, 60, 120, 240, 480, 960, 1440, 1440]


def test_a_hundredth_lock_is_still_a_date() -> None:
    """A5: the doubling neither overflows nor exceeds the longest lock."""
    policy = Policy(first_lock=30 * DAY, longest_lock=30 * DAY, failure_limit=1)
    assert UserLimits(locks=10_000).with_failure(policy, NOW).lock_at(NOW) == NOW + 30 * DAY


def test_a_quiet_day_forgets_failures_and_locks() -> None:
    """A5: the first lock after it is as short as the first of all."""
    nine = failed(9)
    assert failed(1, nine, NOW + DAY - SECOND).lock_at(NOW + DAY - SECOND) is not None
    assert failed(1, nine, NOW + DAY).lock_at(NOW + DAY) is None
    locked = failed(10)
    later = NOW + 15 * MINUTE + DAY  # the quiet time begins when the lock ends
    early = failed(10, locked, later - SECOND)
    assert early.lock_at(later) == later - SECOND + 30 * MINUTE
    assert failed(10, locked, later).lock_at(later) == later + 15 * MINUTE


@given(st.lists(st.booleans(), max_size=60))
def test_only_failures_in_a_row_lock(results: list[bool]) -> None:
    """A4: a success resets what was counted; a lock needs ten failures after it."""
    limits, row = UserLimits(), 0
    for right in results:
        limits = limits.unlocked() if right else limits.with_failure(POLICY, NOW)
        row = 0 if right else row + 1
        assert limits.failures == row % 10
        assert limits.locks == row // 10
        assert (limits.lock_at(NOW) is not None) is (row >= 10)


def test_a_success_does_not_forget_sends() -> None:
    """A4, S2: a right code buys no further messages."""
    assert sent(0, 60).unlocked().sends == sent(0, 60).sends


def test_a_failure_does_not_forget_sends() -> None:
    assert sent(0, 60).with_failure(POLICY, NOW + DAY).sends == sent(0, 60).sends


@pytest.mark.parametrize(
    ("sends", "at", "expected"),
    [
        ([], 0, None),
        ([0], 0, 60),
        ([0], 59, 60),
        ([0], 60, None),
        ([0, 60, 120, 180], 239, 240),
        ([0, 60, 120, 180], 240, None),
        ([0, 60, 120, 180, 240], 300, 600),  # five in ten minutes
        ([0, 60, 120, 180, 240], 599, 600),
        ([0, 60, 120, 180, 240], 600, None),
        ([0, 60, 120, 180, 240, 600], 660, None),  # the first of the five is ten minutes old
        ([0, 60, 120, 180, 590], 600, 650),  # the cool-down of the newest comes after the limit
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
    assert limits.send_not_before(Channel.EMAIL, POLICY, NOW) is not None
    assert limits.send_not_before(Channel.MOBILE, POLICY, NOW) is None


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
        if limits.send_not_before(Channel.MOBILE, POLICY, now) is None:
            limits = limits.with_send(Channel.MOBILE, POLICY, now)
            allowed.append(now)
    for limit in POLICY.send_limits:
        for start in allowed:
            within = [moment for moment in allowed if start <= moment < start + limit.window]
            assert len(within) <= limit.count
    assert all(b - a >= MINUTE for a, b in itertools.pairwise(allowed))


def test_sends_that_no_limit_looks_back_to_are_dropped() -> None:
    """What is kept of a user does not grow with the years."""
    limits = sent(*range(0, 30 * 86_400, 9000))
    assert len(limits.sends) <= 10


@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 3))
def test_a_standing_is_kept_while_it_can_change_an_answer(
    failures: int, sends: int, days: int
) -> None:
    """T5: whoever is deleted at this time could as well have been unknown."""
    now = NOW + days * DAY
    limits = failed(failures, sent(*range(0, sends * 60, 60)), now)
    end = keep_until(limits, POLICY, now)
    assert limits.lock_at(end) is None
    assert limits.send_not_before(Channel.MOBILE, POLICY, end) is None
    forgotten, unknown = limits.with_failure(POLICY, end), UserLimits().with_failure(POLICY, end)
    assert (forgotten.failures, forgotten.locks) == (unknown.failures, unknown.locks)
    assert end >= now + POLICY.life + POLICY.retention  # a challenge of now is known as long
