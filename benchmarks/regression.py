"""Compare counted instructions with those of docs/benchmarks/figures.md.

Only code outside of cryptography is compared: OpenSSL chooses its code by the processor, so a
signature takes other instructions on another machine. Each figure of the page is scaled by the
floor's, which is counted in the same run: so another build of Python compares as well.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from benchmarks.instructions import Leg

TOLERANCE: Final = 0.05
COMMAND: Final = "python -m benchmarks instructions --write"
_SECTION: Final = re.compile(r"<!-- instructions -->.*<!-- /instructions -->", re.DOTALL)
_PYTHON: Final = re.compile(r", Python (\d+\.\d+)\.")
_ROW: Final = re.compile(r"^\| (\w+) \| ([\w ]+) \| ([\w-]+) (?:\| [\d,]+ ){2}\| ([\d,]+) \|", re.M)


def python_of(page: str) -> str:
    """Return the version of Python that the page's figures are of, such as 3.11."""
    found = _PYTHON.search(_section(page))
    return found[1] if found else ""


def changes(legs: Sequence[Leg], page: str) -> list[str]:
    """Name each leg that differs from the page's figure by more than the tolerance."""
    rows = _ROW.findall(_section(page))
    written = {(store, kind, peer): int(own.replace(",", "")) for store, kind, peer, own in rows}
    floors = {(leg.store, leg.kind): leg.own for leg in legs if leg.peer == "floor"}
    found = []
    for leg in legs:
        floor = written.get((leg.store, leg.kind, "floor"))
        figure = written.get((leg.store, leg.kind, leg.peer))
        where = f"{leg.peer}, {leg.kind} on {leg.store}"
        if not floor or not figure:
            found.append(f"{where}: the page has no figure; write it by: {COMMAND}")
            continue
        expected = round(figure * floors[leg.store, leg.kind] / floor)
        change = leg.own / expected - 1
        if abs(change) > TOLERANCE:
            found.append(
                f"{where}: from {expected:,} to {leg.own:,} instructions ({change:+.1%}); "
                f"if that is meant, write the new figure by: {COMMAND}"
            )
    return found


def _section(page: str) -> str:
    found = _SECTION.search(page)
    return found[0] if found else ""
