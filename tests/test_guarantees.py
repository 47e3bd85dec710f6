"""docs/guarantees.md lists exactly what the tests show."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from tests.test_documentation import load

ROOT = Path(__file__).parent.parent
guarantees = load(ROOT / "tools/guarantees.py")
PAGE = guarantees.PAGE.read_text()
ROWS = guarantees.rows(PAGE)


def test_every_id_of_a_test_has_a_row() -> None:
    """O4: whoever reads an id finds what it stands for."""
    assert set(guarantees.shown()) - {name for name, *_ in ROWS} == set()


def test_every_row_has_a_test() -> None:
    """O4: what no test shows is not guaranteed."""
    assert {name for name, *_ in ROWS} - set(guarantees.shown()) == set()


def test_a_row_says_something_and_has_an_id_of_its_own() -> None:
    """O4: one sentence or more."""
    assert [name for name, count in Counter(name for name, *_ in ROWS).items() if count > 1] == []
    assert [name for name, text, _ in ROWS if not text.endswith(".")] == []


def test_ids_are_written_in_one_way() -> None:
    """O4: ids, a colon and the claim; else the tool would miss the test."""
    begins = re.compile(r"[A-Z]\d+\b")
    missed = [
        claim
        for claim in guarantees.claims()
        if begins.match(claim.text) and not guarantees.IDS.match(claim.text)
    ]
    assert missed == []


def test_the_table_of_tests_is_current() -> None:
    """O4: if this fails, run `python tools/guarantees.py`."""
    assert guarantees.filled(PAGE) == PAGE
