"""docs/threat-model.md says of each party what holds, and what it says is shown by tests."""

from __future__ import annotations

import re

import pytest

from tests.auditor import ID, ROOT, guaranteed, table_rows

PAGE = (ROOT / "docs/threat-model.md").read_text()
HEADS = [f"| {verb} | what holds | what is the host's | shown by |" for verb in ("tries", "does")]
PARTIES = [
    "Anonymous",
    "Caller",
    "Malicious caller",
    "Host",
    "Database reader",
    "Database writer",
    "Operator",
]


@pytest.mark.parametrize("party", PARTIES)
def test_each_party_has_its_section_with_what_it_can_try(party: str) -> None:
    """O4: three things or more, each with what holds or whose it is, and with its tests."""
    text = PAGE.partition(f"\n## {party}\n")[2].partition("\n## ")[0]
    rows = [cells for head in HEADS for cells in table_rows(text, head)]
    assert len(rows) >= 3
    for tried, holds, hosts, shown in rows:
        assert tried
        assert holds or hosts
        assert ID.findall(shown)
        assert re.sub(rf"{ID.pattern}|, ", "", shown) == ""


def test_every_id_stands_for_a_guarantee() -> None:
    """O4: and so for the tests that its page lists."""
    rows = [cells for head in HEADS for cells in table_rows(PAGE, head)]
    assert {name for cells in rows for name in ID.findall(cells[3])} - guaranteed() == set()


def test_the_assets_are_listed() -> None:
    """O4: codes and tokens, keys and pepper, counts, and the wallet's own time."""
    assets = list(table_rows(PAGE, "| asset | why it matters | where it is |"))
    assert len(assets) >= 8
    assert all(all(cells) for cells in assets)
