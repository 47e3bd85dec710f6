"""The queueing model agrees with what is known of queues, and with the bulkhead of the package."""

from __future__ import annotations

import random
from dataclasses import replace
from math import factorial
from statistics import mean, quantiles

import pytest

from benchmarks.queueing import (
    Cost,
    Ending,
    Wallet,
    closed,
    hangs_after,
    log_normal,
    of_kind,
    opened,
    share,
)

NOTHING = Cost(0, 0)


def exponential(seconds: float) -> Wallet:
    """Make a wallet of which only the provider takes time."""
    return Wallet(
        processes=1,
        threads=5,
        cores=1,
        send=NOTHING,
        verify=NOTHING,
        provider=lambda chance, _: chance.expovariate(1 / seconds),
        timeout=1e9,
        deliveries=5,
    )


def erlang_c(servers: int, load: float) -> float:
    """Return the probability of waiting with Poisson arrivals and exponential service."""
    last = load**servers / factorial(servers) * servers / (servers - load)
    return last / (sum(load**n / factorial(n) for n in range(servers)) + last)


@pytest.mark.parametrize("load", [2.5, 4.0])
def test_the_mean_wait_for_a_thread_is_that_of_erlang_s_formula(load: float) -> None:
    found = opened(exponential(0.1), load / 0.1, 0, seconds=800, seed=1)
    wanted = erlang_c(5, load) * 0.1 / (5 - load)
    assert mean(one.began - one.arrived for one in found) == pytest.approx(wanted, rel=0.1)
    waited = share(found, lambda one: one.began > one.arrived)
    assert waited == pytest.approx(erlang_c(5, load), rel=0.05)


def test_one_thread_with_work_of_one_length_has_the_mean_time_of_its_formula() -> None:
    wallet = replace(exponential(0), threads=1, verify=Cost(0.01, 0))
    found = opened(wallet, 0, 70, seconds=150, seed=1)
    assert mean(one.seconds for one in found) == pytest.approx(0.01 * (1 + 0.7 / 0.6), rel=0.1)


def test_each_request_that_arrives_ends_once_and_none_before_it_began() -> None:
    wallet = replace(exponential(0.4), threads=12, deliveries=3, timeout=0.8)
    found = opened(wallet, 20, 15, seconds=60, seed=3)
    sends, verifies = of_kind(found, sends=True), of_kind(found, sends=False)
    assert len(sends) + len(verifies) == len(found)
    assert len(sends) == pytest.approx(20 * 60, rel=0.1)
    assert len(verifies) == pytest.approx(15 * 60, rel=0.1)
    assert {one.ending for one in sends} == set(Ending)
    assert {one.ending for one in verifies} == {Ending.DONE}
    assert all(one.arrived <= one.began <= one.ended for one in found)


def test_the_same_seed_gives_the_same_run_and_another_one_another() -> None:
    wallet = replace(exponential(0.1), send=Cost(0.002, 0.001))
    runs = [opened(wallet, 30, 30, seconds=10, seed=seed) for seed in (5, 5, 6)]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_connections_that_wait_for_their_answers_are_served_by_the_places_alone() -> None:
    wallet = replace(exponential(0), provider=lambda *_: 0.1, processes=2, threads=8, deliveries=4)
    found = closed(wallet, connections=8, seconds=20, seed=1)
    assert len(found) == pytest.approx(2 * 4 / 0.1 * 20, rel=0.02)
    assert share(found, lambda one: one.ending is Ending.REFUSED) == 0


def test_sends_beyond_the_places_are_refused_after_half_a_second_of_a_provider_that_hangs() -> None:
    wallet = replace(
        exponential(0), provider=hangs_after(0, log_normal(1)), threads=20, deliveries=10, timeout=3
    )
    found = opened(wallet, 10, 10, seconds=60, seed=2)
    sends = of_kind(found, sends=True)
    refused = [one for one in sends if one.ending is Ending.REFUSED]
    assert max(one.ended - one.began for one in refused) <= 0.5 + 1e-6
    assert {one.ending for one in sends} == {Ending.REFUSED, Ending.TIMED_OUT}
    assert len(sends) - len(refused) == pytest.approx(10 / 3 * 60, rel=0.1)
    assert max(one.seconds for one in of_kind(found, sends=False)) < 0.5


def test_latencies_have_the_percentile_that_was_asked_for() -> None:
    chance = random.Random(1)
    drawn = [log_normal(0.5)(chance, 0) for _ in range(20_000)]
    assert quantiles(drawn, n=20)[-1] == pytest.approx(0.5, rel=0.03)
