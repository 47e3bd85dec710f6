"""A view of a run while it goes on, on a terminal; it needs the library ``rich``."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Final

from rich.console import Console
from rich.console import Group as Rows
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from flask_otp_mpp.conformance.case import AnyCase
from flask_otp_mpp.conformance.run import Result, Status

_STYLES: Final = {Status.PASSED: "green", Status.FAILED: "bold red", Status.SKIPPED: "dim"}
_FAILURES: Final = 5


class LiveView:
    """Groups with their counts, the last failures, progress and time.

    :param cases: all that are played.
    """

    def __init__(self, cases: Sequence[AnyCase], out: IO[str]) -> None:
        self._sizes = Counter(case.group for case in cases)
        self._counts: Counter[tuple[str, Status]] = Counter()
        self._failures: deque[Result] = deque(maxlen=_FAILURES)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=40),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        self._task = self._progress.add_task("cases", total=len(cases))
        self._console = Console(file=out)

    @contextmanager
    def shown(self) -> Iterator[LiveView]:
        """Show the view in the ``with`` block."""
        with Live(console=self._console, get_renderable=self._render, refresh_per_second=8):
            yield self

    def add(self, result: Result) -> None:
        """Count a result."""
        self._counts[result.case.group, result.status] += 1
        if result.status is Status.FAILED:
            self._failures.append(result)
        self._progress.advance(self._task)

    def _render(self) -> Rows:
        table = Table(box=None, pad_edge=False)
        table.add_column("group")
        for name in (*Status, "of"):
            table.add_column(name, justify="right")
        for group, size in self._sizes.items():
            counts = [(status, self._counts[group, status]) for status in Status]
            cells = [Text(str(number or ""), _STYLES[status]) for status, number in counts]
            table.add_row(group, *cells, str(size))
        failures = [
            Text.assemble((f"{one.case.id}: ", "red"), one.said, overflow="ellipsis", no_wrap=True)
            for one in self._failures
        ]
        return Rows(table, *failures, self._progress)
