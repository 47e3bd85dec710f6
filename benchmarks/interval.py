"""The ratio of two peers: its median over rounds, and the interval that holds the true median.

The interval is that of order statistics: it assumes nothing of how the ratios are distributed. Each
ratio is below the true median as often as above it, as a coin falls. So five of them are all on one
side in two of 32 cases, and in the other 94 % the lowest and the highest enclose it.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from typing import Final, Self

DOUBT: Final = 0.1
"""The interval is the smallest one that misses the true median less often than this."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """A median with the two values around it.

    :param confidence: the probability that the true median is between them.
    """

    median: float
    low: float
    high: float
    confidence: float

    @classmethod
    def of(cls, mine: Sequence[float], reference: Sequence[float]) -> Self:
        """Compare the rounds of a peer with the same rounds of the reference."""
        ratios = sorted(one / other for one, other in zip(mine, reference, strict=True))
        count = len(ratios)
        outside, doubt = 0, 2 * _tail(count, 0)
        while (more := 2 * _tail(count, outside + 1)) <= DOUBT:
            outside, doubt = outside + 1, more
        low, high = ratios[outside], ratios[-1 - outside]
        return cls(statistics.median(ratios), low, high, max(0.0, 1 - doubt))


def _tail(count: int, most: int) -> float:
    """Return the probability that at most so many of the coins show heads."""
    return float(sum(comb(count, heads) for heads in range(most + 1)) / 2**count)
