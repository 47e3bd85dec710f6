"""Read the pages for auditors: their tables, and the ids of guarantees in them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.test_documentation import load

ROOT = Path(__file__).parent.parent
ID = re.compile(r"\b[ACFGKLOPRSTX]\d+\b")
guarantees = load(ROOT / "tools/guarantees.py")


def guaranteed() -> set[str]:
    """Return the id of each guarantee."""
    return {name for name, *_ in guarantees.rows(guarantees.PAGE.read_text())}


def table_rows(page: str, head: str) -> Iterator[Sequence[str]]:
    """Yield the cells of each row, of the tables with this head."""
    wanted = False
    for line in page.splitlines():
        if not line.startswith("|"):
            wanted = False
        elif line == head:
            wanted = True
        elif wanted and not line.startswith("| ---"):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
