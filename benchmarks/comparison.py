"""What a run under load has measured: each peer beside the floor, as tables and charts."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from benchmarks import chart
from benchmarks.interval import Ratio
from benchmarks.measurement import Measurement
from benchmarks.processes import THREADS, WORKERS
from benchmarks.report import Report, Table

REFERENCE: Final = "floor"
COLUMNS: Final = (
    "store", "load", "peer", "req/s", "x floor", "lowest", "highest",
    "p50 ms", "p99 ms", "p99 x floor", "CPU us", "CPU x floor", "answers",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cell:
    """One combination of store, server, load and connections, in which all peers are measured."""

    store: str
    server: str
    load: str
    connections: int

    def __str__(self) -> str:
        return f"{self.store}, {self.server}, {self.load}, {self.connections} connections"


@dataclass(slots=True)
class Comparison:
    """The measurements so far, one for each round, and what makes them invalid."""

    seconds: float
    rounds: int
    measurements: dict[tuple[Cell, str], list[Measurement]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def add(self, cell: Cell, name: str, one: Measurement) -> None:
        """Add a peer's measurement of the next round."""
        self.measurements.setdefault((cell, name), []).append(one)
        where = f"{cell}, {name}"
        if one.wrong:
            self.faults.append(f"{where}: wrong answers {dict(one.wrong)}")
        if one.forged or not one.sampled:
            held = one.sampled - one.forged
            self.faults.append(f"{where}: {held} of {one.sampled} signatures are valid")

    def report(self) -> Report:
        """Return the tables, one for each server and number of connections, and two charts."""
        settings = dict.fromkeys((cell.server, cell.connections) for cell, _ in self.measurements)
        tables = []
        for server, connections in settings:
            title = (
                f"{server}, {WORKERS} workers of {THREADS} threads, {connections} connections; "
                f"{self.rounds} rounds of {self.seconds:g} s; "
                f"{self._confidence():.0%} for lowest to highest"
            )
            tables.append(Table(title, COLUMNS, list(self._rows(server, connections))))
        return Report("load", tables, self._charts(), self.faults)

    def _confidence(self) -> float:
        return Ratio.of([1.0] * self.rounds, [1.0] * self.rounds).confidence

    def _rows(self, server: str, connections: int) -> Iterator[tuple[object, ...]]:
        for (cell, name), found in self.measurements.items():
            if (cell.server, cell.connections) != (server, connections):
                continue
            rate, p99, cpu = (self._ratio(cell, name, what) for what in ("rate", "p99", "cpu"))
            yield (
                cell.store, cell.load, name,
                round(_median(found, "rate")),
                rate.median if rate else "-",
                rate.low if rate else "-",
                rate.high if rate else "-",
                _median(found, "p50"),
                _median(found, "p99"),
                p99.median if p99 else "-",
                round(_median(found, "cpu")),
                cpu.median if cpu else "-",
                sum(one.answers for one in found),
            )  # fmt: skip

    def _ratio(self, cell: Cell, name: str, what: str) -> Ratio | None:
        """Compare a figure with the floor's; None if the floor was not measured, or had none."""
        floor = _values(self.measurements.get((cell, REFERENCE), ()), what)
        mine = _values(self.measurements[cell, name], what)
        return Ratio.of(mine, floor) if floor and all(floor) else None

    def _charts(self) -> dict[str, str]:
        """Draw each store and load for the server and connections that were measured first."""
        shown: dict[tuple[str, str], Cell] = {}
        speeds: dict[str, dict[str, Ratio]] = {}
        costs: dict[str, dict[str, float]] = {}
        for (cell, name), found in self.measurements.items():
            if shown.setdefault((cell.store, cell.load), cell) != cell:
                continue
            group = f"{cell.store}, {cell.load}"
            costs.setdefault(group, {})[name] = _median(found, "cpu")
            ratio = self._ratio(cell, name, "rate")
            if ratio is not None and name != REFERENCE:
                speeds.setdefault(group, {})[name] = ratio
        drawn = {}
        if speeds:
            drawn["load.svg"] = chart.bars(
                "Requests a second, compared with the floor",
                "the floor is 1 (more is better); the thin line is the interval of the rounds",
                {
                    group: {k: v.median for k, v in ratios.items()}
                    for group, ratios in speeds.items()
                },
                {
                    group: {k: (v.low, v.high) for k, v in ratios.items()}
                    for group, ratios in speeds.items()
                },
            )
        drawn["load-cpu.svg"] = chart.bars(
            "Processor time of one request",
            "microseconds in all processes of the server (less is better)",
            costs,
        )
        return drawn


def _values(found: Sequence[Measurement], what: str) -> list[float]:
    return [getattr(one, what) for one in found]


def _median(found: Sequence[Measurement], what: str) -> float:
    return statistics.median(_values(found, what))
