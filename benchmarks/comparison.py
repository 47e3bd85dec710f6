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
SHORT: Final = (
    "store", "load", "peer", "req/s", "x floor", "lowest", "highest", "p99 x floor", "CPU x floor",
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
        """Return the tables, one for each server and number of connections.

        The short form and the charts are of the first one.
        """
        settings = dict.fromkeys((cell.server, cell.connections) for cell, _ in self.measurements)
        tables = []
        for server, connections in settings:
            title = (
                f"{server}, {WORKERS} workers of {THREADS} threads, {connections} connections; "
                f"{self.rounds} rounds of {self.seconds:g} s; "
                f"{self._confidence():.0%} for lowest to highest"
            )
            tables.append(Table(title, COLUMNS, list(self._rows(server, connections))))
        summary = [short(tables[0])]
        return Report("load", tables, charts(tables[0]), self.faults, summary=summary)

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


def short(table: Table) -> Table:
    """Return the rows that are compared with the floor, and the goals' columns."""
    rows = [row for row in table.data()["rows"] if row["peer"] != REFERENCE]
    return Table(table.title, SHORT, [[row[name] for name in SHORT] for row in rows])


def charts(table: Table) -> dict[str, str]:
    """Draw the speed and the cost of each peer, by store and load."""
    speeds: dict[str, dict[str, float]] = {}
    intervals: dict[str, dict[str, tuple[float, float]]] = {}
    costs: dict[str, dict[str, float]] = {}
    for row in table.data()["rows"]:
        group, name = f"{row['store']}, {row['load']}", row["peer"]
        costs.setdefault(group, {})[name] = row["CPU us"]
        if row["x floor"] != "-" and name != REFERENCE:
            speeds.setdefault(group, {})[name] = row["x floor"]
            intervals.setdefault(group, {})[name] = row["lowest"], row["highest"]
    drawn = {}
    if speeds:
        drawn["load.svg"] = chart.bars(
            "Requests a second, compared with the floor",
            "the floor is 1 (more is better); the thin line is the interval of the rounds",
            speeds,
            intervals,
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
