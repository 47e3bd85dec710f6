"""The interval of a ratio follows from the order of the rounds alone."""

from __future__ import annotations

import random

import pytest

from benchmarks.interval import Ratio


def test_each_round_is_compared_with_the_same_round_of_the_reference() -> None:
    found = Ratio.of([100, 50, 200, 90, 30], [200, 100, 400, 100, 100])
    assert (found.median, found.low, found.high) == (0.5, 0.3, 0.9)


@pytest.mark.parametrize(
    ("rounds", "outside", "confidence"),
    [(1, 0, 0.0), (3, 0, 0.75), (5, 0, 0.9375), (8, 1, 0.9297), (20, 5, 0.9586)],
)
def test_the_interval_is_that_of_order_statistics(
    rounds: int, outside: int, confidence: float
) -> None:
    """The values are those of every table of the sign test."""
    ratios = [float(n) for n in range(1, rounds + 1)]
    found = Ratio.of(ratios, [1.0] * rounds)
    assert (found.low, found.high) == (1 + outside, rounds - outside)
    assert found.confidence == pytest.approx(confidence, abs=1e-4)


def test_the_interval_holds_the_median_as_often_as_it_says() -> None:
    source = random.Random(1)
    tried = 4000
    held = 0
    for _ in range(tried):
        found = Ratio.of([source.lognormvariate(0, 0.3) for _ in range(5)], [1.0] * 5)
        held += found.low <= 1.0 <= found.high
        assert found.low <= found.median <= found.high
    assert held / tried == pytest.approx(0.9375, abs=0.015)
