"""A budget of signatures: a few in a second, and some at once after a pause."""

from __future__ import annotations

import threading

import pytest

from flask_otp_mpp.signing.budget import SigningBudget, TokenBucket


class Seconds:
    """A clock of seconds that a test moves."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_allows_its_size_at_once_and_then_its_rate() -> None:
    """X2: and after a long pause no more than its size again."""
    clock = Seconds()
    bucket = TokenBucket(2, 5, clock)
    assert [bucket.take() for _ in range(7)] == [True] * 5 + [False] * 2
    clock.now += 0.4
    assert not bucket.take()
    clock.now += 0.1
    assert [bucket.take() for _ in range(2)] == [True, False]
    clock.now += 3600
    assert sum(bucket.take() for _ in range(100)) == 5


def test_who_leaves_some_for_others_gets_none_of_the_last() -> None:
    """X2: half of the bucket is left."""
    bucket = TokenBucket(1, 4, Seconds())
    assert [bucket.take(leaving=2) for _ in range(3)] == [True, True, False]
    assert [bucket.take() for _ in range(3)] == [True, True, False]


def test_threads_take_no_more_than_there_is() -> None:
    """X2: counted under a lock."""
    bucket = TokenBucket(1, 50, Seconds())
    taken: list[bool] = []

    def take() -> None:
        taken.extend([bucket.take() for _ in range(100)])

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (sum(taken), len(taken)) == (50, 800)


@pytest.mark.parametrize("emptied", ["familiar", "known", "other"])
def test_one_part_of_the_budget_takes_nothing_from_the_others(emptied: str) -> None:
    """X2: together 25 at once, and five in a second."""
    clock = Seconds()
    budget = SigningBudget(clock)
    parts = {name: getattr(budget, name) for name in ("familiar", "known", "other")}
    while parts[emptied].take():
        pass
    assert all(part.take() for name, part in parts.items() if name != emptied)
    clock.now += 3600
    assert sum(part.take() for part in parts.values() for _ in range(1000)) == 25
    clock.now += 1
    assert sum(part.take() for part in parts.values() for _ in range(1000)) == 5
