"""A measurement is told as tables for people, as data for programs, and as a part of the page."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from benchmarks.processes import ROOT

PAGE: Final = ROOT / "docs" / "benchmarks.md"


@dataclass(frozen=True, slots=True)
class Table:
    """Hold figures under named columns."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]

    def markdown(self) -> str:
        """Write it with a rule between head and rows."""
        lines = [self.columns, ["---"] * len(self.columns), *self.rows]
        told = [f"| {' | '.join(map(_cell, line))} |" for line in lines]
        return "\n".join([f"{self.title}:", "", *told])

    def data(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "rows": [dict(zip(self.columns, row, strict=True)) for row in self.rows],
        }


@dataclass(frozen=True, slots=True)
class Report:
    """Hold what one command has found.

    :param charts: SVG by the name of its file.
    :param faults: what makes the figures void; the command then fails.
    """

    name: str
    tables: Sequence[Table]
    charts: Mapping[str, str] = field(default_factory=dict)
    faults: Sequence[str] = ()

    def markdown(self) -> str:
        return "\n\n".join([_circumstances(), *(table.markdown() for table in self.tables)])

    def data(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "machine": _circumstances(),
            "tables": [table.data() for table in self.tables],
            "faults": list(self.faults),
        }

    def write(self, page: Path = PAGE) -> None:
        """Put tables and charts in the place of the last ones, between the page's marks.

        :raises ValueError: if the page has no place of that name.
        """
        mark = re.escape(self.name)
        pattern = re.compile(f"(<!-- {mark} -->\n).*?(<!-- /{mark} -->)", re.DOTALL)
        text = page.read_text()
        if not pattern.search(text):
            raise ValueError(f"{page.name} has no place <!-- {self.name} --> to write to")
        charts = page.parent / page.stem
        shown = []
        for name, svg in self.charts.items():
            charts.mkdir(exist_ok=True)
            (charts / name).write_text(svg)
            shown.append(f"![{name.removesuffix('.svg')}]({page.stem}/{name})")
        part = "\n\n".join([*shown, self.markdown()])
        page.write_text(pattern.sub(lambda found: f"{found[1]}{part}\n{found[2]}", text))


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _circumstances() -> str:
    cores = len(Path("/proc/cpuinfo").read_text().split("processor\t:")) - 1
    day = datetime.now(UTC).date().isoformat()
    return f"Measured on {day}, {cores} cores, Python {platform.python_version()}."
