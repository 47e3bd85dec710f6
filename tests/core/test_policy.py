"""No app starts with a policy that breaks a bound, and all broken bounds are reported at once."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import limits
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_otp_mpp.core.policy import DAY, Policy, Resend, SendLimit, UnsafePolicy

SECOND = timedelta(seconds=1)


def faults(**values: Any) -> list[str]:
    try:
        Policy(**values)
    except UnsafePolicy as unsafe:
        return [name for name, _ in unsafe.faults]
    return []


@pytest.mark.parametrize(
    ("field", "allowed", "refused"),
    [
        ("digits", [6, 10], [5, 0, -1, 11]),
        ("life", [30 * SECOND, 600 * SECOND], [29 * SECOND, 601 * SECOND, -SECOND]),
        ("tries", [1, 5], [0, 6, -1]),
        ("cool_down", [0 * SECOND, DAY / 3], [-SECOND, DAY / 3 + SECOND]),
        ("failure_limit", [1, 100], [0, 101]),
        ("disable_after", [1, 100], [0, 101]),
        ("first_lock", [60 * SECOND, DAY], [59 * SECOND, DAY + SECOND]),
        ("longest_lock", [15 * 60 * SECOND, 30 * DAY], [30 * DAY + SECOND]),
        ("forget_after", [DAY, 365 * DAY], [DAY - SECOND, 365 * DAY + SECOND]),
        ("retention", [1200 * SECOND, 365 * DAY], [1199 * SECOND, 365 * DAY + SECOND]),
    ],
)
def test_a_value_out_of_its_bounds_is_refused_by_name(
    field: str, allowed: list[Any], refused: list[Any]
) -> None:
    """L2, L3, A3: too few digits, too long a life, too many tries."""
    assert [faults(**{field: value}) for value in allowed] == [[]] * len(allowed)
    assert [faults(**{field: value}) for value in refused] == [[field]] * len(refused)


@pytest.mark.parametrize(
    ("limits", "refused"),
    [
        ([(3, DAY)], False),
        ([(2, DAY)], True),
        ([(1, DAY / 3)], False),
        ([(1, DAY / 3 + SECOND)], True),
        ([(21, 7 * DAY)], False),
        ([(20, 7 * DAY)], True),
        ([(1, SECOND)], False),
        ([(0, SECOND)], True),
        ([(-1, DAY)], True),
        ([(10, 0 * SECOND)], True),
        ([(10, -DAY)], True),
        ([(10, DAY), (2, DAY)], True),
        ([], True),
    ],
)
def test_each_send_limit_allows_three_a_day(
    limits: list[tuple[int, timedelta]], *, refused: bool
) -> None:
    """S2: Alipay+ requires at least three codes per token and day."""
    found = faults(send_limits=tuple(SendLimit(*limit) for limit in limits))
    assert found == (["send_limits"] if refused else [])


def test_all_faults_are_reported_at_once() -> None:
    """F2: one correction is enough."""
    with pytest.raises(UnsafePolicy) as caught:
        Policy(digits=4, life=DAY, tries=99, failure_limit=1000, send_limits=())
    named = [name for name, _ in caught.value.faults]
    assert named == ["digits", "life", "tries", "send_limits", "failure_limit"]
    for name, rule in caught.value.faults:
        assert f"{name}: {rule}" in str(caught.value)


def test_a_fault_says_what_was_found_and_what_to_set() -> None:
    """F2: in the same words as a configuration error."""
    with pytest.raises(UnsafePolicy) as caught:
        Policy(digits=4, cool_down=-SECOND, retention=60 * SECOND, send_limits=())
    assert caught.value.faults == [
        (
            "digits",
            "4 is too small; set it to 6 to 10 (codes of fewer digits are too easily guessed)",
        ),
        (
            "cool_down",
            "-1 is negative; set it to 0 to 28800 seconds (three sends must fit into a day)",
        ),
        ("send_limits", "is empty; name at least one limit, such as '10 per day'"),
        (
            "retention",
            "60 is too small; set it to 1200 to 31536000 seconds (20 minutes to 365 days)",
        ),
    ]


@given(
    st.integers(0, 10**6),
    st.sampled_from(["/", " per ", "per", " / "]),
    st.one_of(st.just(""), st.integers(0, 1000).map(str)),
    st.sampled_from(["second", "minutes", "Hour", "DAYS", "month", "years"]),
)
def test_a_send_limit_is_read_as_flask_limiter_reads_it(
    count: int, per: str, multiple: str, unit: str
) -> None:
    """The core does not import that library."""
    text = f"{count}{per}{multiple} {unit}"
    wanted = limits.parse(text)
    assert SendLimit.parse(text) == SendLimit(wanted.amount, wanted.get_expiry() * SECOND)


@pytest.mark.parametrize("text", ["", "often", "10", "10 per", "per day", "1 per week", "1/day x"])
def test_a_malformed_send_limit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        SendLimit.parse(text)


def test_a_send_limit_that_is_longer_than_any_time_is_refused() -> None:
    with pytest.raises(ValueError, match="years"):
        SendLimit.parse("1 per 999999999999 years")


def test_a_lock_never_ends_later_than_the_longest_one() -> None:
    assert faults(first_lock=2 * DAY, longest_lock=DAY) == ["first_lock"]
    assert faults(first_lock=DAY, longest_lock=DAY) == []


def test_the_defaults_are_the_documented_ones() -> None:
    """L3: 300 s is the life unless a deployment says otherwise."""
    policy = Policy()
    assert policy.life == timedelta(seconds=300)
    assert (policy.digits, policy.tries, policy.resend) == (6, 5, Resend.ROTATE)
    assert policy.cool_down == timedelta(seconds=45)
    assert (policy.failure_limit, policy.disable_after) == (10, 50)
    assert policy.overall_send_limits == (
        SendLimit(10, timedelta(minutes=10)),
        SendLimit(20, DAY),
    )


def test_the_default_odds_are_fifty_guesses_a_day() -> None:
    """A3: after 50 wrong codes of a million OTP is disabled for the user: 0.005 %."""
    policy = Policy()
    assert policy.guesses_a_day() == 50
    assert policy.guess_odds() == pytest.approx(0.00005)
    # Twenty sends in a day, and ten that were sent just before it, with five tries each.
    assert policy.guesses_a_day(successes=99) == 150
    assert policy.guess_odds(successes=99) == pytest.approx(0.00015)


@pytest.mark.parametrize(
    ("values", "channels", "successes", "guesses"),
    [
        ({"tries": 1}, 1, 0, 30),
        ({"tries": 1}, 2, 0, 50),
        ({"tries": 1}, 2, 9, 60),
        ({"user_send_limits": (SendLimit(3, DAY),)}, 1, 0, 30),
        ({"send_limits": (SendLimit(1, timedelta(minutes=1)),)}, 1, 1, 100),
        # All of a week may be sent in one day, but not once more just before it.
        ({"user_send_limits": (SendLimit(21, 7 * DAY),)}, 1, 9, 105),
        ({"disable_after": 7}, 1, 0, 7),
        ({"disable_after": 7}, 1, 3, 28),
    ],
)
def test_the_odds_are_bounded_by_sends_and_by_failures(
    values: dict[str, Any], channels: int, successes: int, guesses: int
) -> None:
    """A3: the smaller bound counts."""
    policy = Policy(**values)
    assert policy.guesses_a_day(channels, successes) == guesses
    odds = policy.guess_odds(channels, successes)
    assert odds == pytest.approx(guesses / 10**policy.digits)


@pytest.mark.parametrize("limits", [(SendLimit(2, DAY),), (SendLimit(0, DAY),), ()])
def test_all_clients_together_may_send_three_a_day(limits: tuple[SendLimit, ...]) -> None:
    """S2: as for one client; and who sets no limit gets twice that of one client."""
    assert faults(user_send_limits=limits) == ["user_send_limits"]
    assert faults(user_send_limits=(SendLimit(3, DAY),)) == []
    assert faults(user_send_limits=None) == []


@given(
    st.lists(
        st.tuples(st.integers(1, 50), st.integers(1, 86400)).filter(
            lambda limit: limit[0] * 86400 >= 3 * limit[1]
        ),
        min_size=1,
        max_size=3,
    ),
    st.integers(0, 28800),
)
def test_sends_are_kept_for_the_longest_window_of_a_limit(
    limits: list[tuple[int, int]], cool_down: int
) -> None:
    policy = Policy(
        cool_down=cool_down * SECOND,
        send_limits=tuple(SendLimit(number, window * SECOND) for number, window in limits),
    )
    assert policy.send_memory == max(cool_down, *(window for _, window in limits)) * SECOND
