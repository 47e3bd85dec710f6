"""Reports: figures as Markdown tables, as JSON, and in docs/benchmarks.md."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from benchmarks.processes import ROOT, cores

PAGE: Final = ROOT / "docs" / "benchmarks.md"
SCALING: Final = ROOT / "docs" / "scaling.md"


@dataclass(frozen=True, slots=True)
class Table:
    """Figures in rows, under named columns."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]

    def markdown(self) -> str:
        """Return the table as Markdown, with its title."""
        lines = [self.columns, ["---"] * len(self.columns), *self.rows]
        rows = [f"| {' | '.join(map(_cell, line))} |" for line in lines]
        return "\n".join([f"{self.title}:", "", *rows])

    def data(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "rows": [dict(zip(self.columns, row, strict=True)) for row in self.rows],
        }


@dataclass(frozen=True, slots=True)
class Report:
    """What one command has measured.

    :param charts: SVG texts by file name.
    :param faults: what makes the figures invalid, such as wrong answers; the command then fails.
    :param page: where the report has its place.
    """

    name: str
    tables: Sequence[Table]
    charts: Mapping[str, str] = field(default_factory=dict)
    faults: Sequence[str] = ()
    page: Path = PAGE

    def markdown(self) -> str:
        return "\n\n".join([_machine(), *(table.markdown() for table in self.tables)])

    def data(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "machine": _machine(),
            "tables": [table.data() for table in self.tables],
            "faults": list(self.faults),
        }

    def write(self) -> None:
        """Replace the tables and charts between the page's two markers of this name.

        :raises ValueError: if the page has no such markers.
        """
        page, mark = self.page, re.escape(self.name)
        pattern = re.compile(f"(<!-- {mark} -->\n).*?(<!-- /{mark} -->)", re.DOTALL)
        text = page.read_text()
        if not pattern.search(text):
            raise ValueError(f"{page.name} has no marker <!-- {self.name} -->")
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


def _machine() -> str:
    day = datetime.now(UTC).date().isoformat()
    return f"Measured on {day}, {cores()} cores, Python {platform.python_version()}."
