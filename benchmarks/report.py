"""Reports: figures as Markdown tables, as JSON, and in the pages of docs/benchmarks."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from benchmarks.chart import title_of
from benchmarks.processes import ROOT, cores

PAGE: Final = ROOT / "docs" / "benchmarks.md"
FIGURES: Final = PAGE.with_suffix("") / "figures.md"
"""All rows of what PAGE shows in short."""
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

    def across(
        self,
        keys: Sequence[str],
        by: str,
        values: Sequence[str],
        without: Sequence[str] = (),
    ) -> Table:
        """Return a shorter table, with rows that differ in one column side by side.

        :param keys: the columns that name a row.
        :param by: the column whose values become columns.
        :param values: the figures that are shown for each of them.
        :param without: new columns that are left out.
        """
        rows: dict[tuple[object, ...], dict[str, object]] = {}
        for row in self.data()["rows"]:
            cells = {f"{row[by]}, {value}": row[value] for value in values}
            rows.setdefault(tuple(row[key] for key in keys), {}).update(cells)
        names = dict.fromkeys(name for cells in rows.values() for name in cells)
        shown = [name for name in names if name not in without]
        lines = [[*key, *(cells.get(name, "-") for name in shown)] for key, cells in rows.items()]
        return Table(self.title, [*keys, *shown], lines)

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
    :param summary: the tables in short; the page shows them, and figures.md in its folder all rows.
    """

    name: str
    tables: Sequence[Table]
    charts: Mapping[str, str] = field(default_factory=dict)
    faults: Sequence[str] = ()
    page: Path = PAGE
    summary: Sequence[Table] = ()

    def markdown(self) -> str:
        return _text(self.tables)

    def data(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "machine": _machine(),
            "tables": [table.data() for table in self.tables],
            "faults": list(self.faults),
        }

    def write(self) -> None:
        """Replace tables and charts between the markers of this name, in the page or in two.

        :raises ValueError: if a page has no such markers; then nothing is written.
        """
        folder = self.page.with_suffix("")
        shown = [f"![{title_of(svg)}]({folder.name}/{name})" for name, svg in self.charts.items()]
        parts = {self.page: "\n\n".join([*shown, _text(self.summary or self.tables)])}
        if self.summary:
            parts[folder / FIGURES.name] = _text(self.tables)
        texts = {page: self._filled(page, part) for page, part in parts.items()}
        for page, text in texts.items():
            page.write_text(text)
        for name, svg in self.charts.items():
            folder.mkdir(exist_ok=True)
            (folder / name).write_text(svg)

    def _filled(self, page: Path, part: str) -> str:
        """Return the text of a page with another part between the markers."""
        mark = re.escape(self.name)
        pattern = re.compile(f"(<!-- {mark} -->\n).*?(<!-- /{mark} -->)", re.DOTALL)
        text = page.read_text()
        if not pattern.search(text):
            raise ValueError(f"{page.name} has no marker <!-- {self.name} -->")
        return pattern.sub(lambda found: f"{found[1]}{part}\n{found[2]}", text)


def _text(tables: Sequence[Table]) -> str:
    return f"{_machine()} " + "\n\n".join(table.markdown() for table in tables)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _machine() -> str:
    day = datetime.now(UTC).date().isoformat()
    return f"Measured on {day}, {cores()} cores, Python {platform.python_version()}."
