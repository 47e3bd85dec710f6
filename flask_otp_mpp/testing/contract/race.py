"""Races between threads, and counts of what happened in them."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from datetime import timedelta
from functools import partial
from typing import Any, Final, TypeVar

from flask_otp_mpp.core.challenge import Attempt, Challenge, Channel
from flask_otp_mpp.core.policy import Policy
from flask_otp_mpp.core.ports import Store
from flask_otp_mpp.core.reasons import Reason
from flask_otp_mpp.testing.contract.builders import (
    CLIENT,
    POLICY,
    QUICK,
    RIGHT,
    WRONG,
    draft,
    opened,
    request,
)

T = TypeVar("T")
THREADS: Final = 32
PAUSE: Final = 0.005


class CountedDigests(tuple[bytes, ...]):
    """The digests of an attempt, which count their comparisons and wait before each.

    A store reads them between its reading and its writing. A thread that waits there makes a store
    without a lock lose the race.
    """

    seen: list[None]

    def __iter__(self) -> Iterator[bytes]:
        self.seen.append(None)
        time.sleep(PAUSE)
        return super().__iter__()


class SlowPolicy(Policy):
    """A policy that waits when a store reads it, between its reading and its writing of a send."""

    @property
    def send_memory(self) -> timedelta:
        time.sleep(PAUSE)
        return super().send_memory


def slowed(policy: Policy) -> Policy:
    return SlowPolicy(**{field.name: getattr(policy, field.name) for field in fields(policy)})


def together(work: Sequence[Callable[[], T]]) -> list[T]:
    """Call everything at the same time, each in a thread of its own; return the results."""
    barrier = threading.Barrier(len(work))

    def run(one: Callable[[], T]) -> T:
        barrier.wait(30)
        return one()

    with ThreadPoolExecutor(len(work)) as pool:
        return list(pool.map(run, work))


def right_answers(store: Store, challenge: Challenge, times: int = THREADS) -> Counter[Any]:
    """Spend attempts with the right code at the same time; count the reasons (None: success)."""
    return _answers(store, [challenge], RIGHT, times)[1]


def wrong_answers(
    store: Store, challenges: Sequence[Challenge], times: int = THREADS
) -> tuple[int, Counter[Any]]:
    """Spend attempts with wrong codes at the same time; count the comparisons and the reasons."""
    return _answers(store, challenges, WRONG, times)


def _answers(
    store: Store, challenges: Sequence[Challenge], digest: bytes, times: int
) -> tuple[int, Counter[Any]]:
    seen: list[None] = []

    def spend(challenge: Challenge) -> Reason | None:
        digests = CountedDigests((digest,))
        digests.seen = seen
        subject, caller = challenge.subject, challenge.caller
        asked = Attempt(challenge.id, subject, caller, CLIENT, digests, request())
        return store.spend(asked, POLICY).reason

    turns = itertools.islice(itertools.cycle(challenges), times)
    reasons = together([partial(spend, challenge) for challenge in turns])
    return len(seen), Counter(reasons)


def sends(store: Store, policy: Policy, times: int = THREADS) -> int:
    """Reserve challenges at the same time; count those that were granted."""
    reserved = together([lambda: store.reserve(draft(), slowed(policy))] * times)
    return sum(isinstance(found, Challenge) for found in reserved)


def repeats(store: Store, policy: Policy, times: int = THREADS) -> int:
    """Repeat one request at the same time; count the reservations that were granted."""
    key = request()
    reserved = together([lambda: store.reserve(draft(key=key), slowed(policy))] * times)
    return sum(isinstance(found, Challenge) for found in reserved)


def many_open(store: Store) -> list[Challenge]:
    """Open four challenges of one user, on two channels and for two callers."""
    return [
        opened(store, caller=caller, channel=channel, policy=QUICK)
        for caller in ("caller", "other")
        for channel in Channel
    ]
