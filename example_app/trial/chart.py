"""Lines of latencies over time, as the numbers that an SVG needs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from example_app.trial.statistics import PERCENTILES, Latency

WIDTH, HEIGHT = 720, 240
LEFT, RIGHT, TOP, BOTTOM = 64, 12, 16, 34
TIME_LABELS = 5


@dataclass(frozen=True, slots=True)
class Line:
    """One percentile: its points, and the paths between those of neighbouring intervals."""

    percentile: int
    points: Sequence[tuple[float, float]]
    path: str


@dataclass(frozen=True, slots=True)
class Chart:
    """What is drawn.

    :param ticks: heights with their labels in milliseconds.
    :param times: places from the left with their labels.
    """

    lines: Sequence[Line]
    ticks: Sequence[tuple[float, str]]
    times: Sequence[tuple[float, str]]


def chart(latencies: Sequence[Latency]) -> Chart:
    """Lay out a chart of all intervals; its scale begins at 0 and ends above the highest value."""
    highest = max((max(one.milliseconds.values()) for one in latencies if one.count), default=0.0)
    step = _round_up(highest / 4)
    top = 4 * step

    def left(number: int) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * number / (len(latencies) - 1), 1)

    def height(value: float) -> float:
        return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / top, 1)

    def line(percentile: int) -> Line:
        points, path, before = [], "", -2
        for number, one in enumerate(latencies):
            if one.count:
                point = left(number), height(one.milliseconds[percentile])
                path += f"{'L' if number == before + 1 else 'M'}{point[0]} {point[1]}"
                points.append(point)
                before = number
        return Line(percentile, points, path)

    labelled = [round((len(latencies) - 1) * n / (TIME_LABELS - 1)) for n in range(TIME_LABELS)]
    return Chart(
        lines=[line(one) for one in PERCENTILES],
        ticks=[(height(n * step), f"{n * step:g}") for n in range(5)],
        times=[(left(number), f"{latencies[number].start:%H:%M}") for number in labelled],
    )


def _round_up(value: float) -> float:
    """Return the next of 1, 2, 5, 10, 20, 50 and so on."""
    if value <= 1:
        return 1
    power = 10.0 ** math.floor(math.log10(value))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= value)
