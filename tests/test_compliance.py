"""docs/compliance.md goes through every clause, and what it calls met is shown by something."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import pytest

from flask_otp_mpp.web.doc_tables import setting_rows
from tests.auditor import ID, ROOT, guaranteed, guarantees, table_rows

PAGE = (ROOT / "docs/compliance.md").read_text()
ROWS: Sequence[Sequence[str]] = list(table_rows(PAGE, "| clause | asks for | is | by | shown by |"))
WORDS = {"met", "part", "host", "not met", "not applicable"}
ASVS: Final[Mapping[str, int]] = {
    "2.1": 3, "2.2": 3, "2.3": 5, "2.4": 2,
    "4.1": 5, "4.2": 5, "4.3": 2, "4.4": 4,
    "6.1": 3, "6.2": 12, "6.3": 8, "6.4": 6, "6.5": 8, "6.6": 4, "6.7": 2, "6.8": 4,
    "11.1": 4, "11.2": 5, "11.3": 5, "11.4": 4, "11.5": 2, "11.6": 2, "11.7": 2,
    "13.1": 4, "13.2": 6, "13.3": 4, "13.4": 7,
    "14.1": 2, "14.2": 8, "14.3": 3,
    "16.1": 1, "16.2": 5, "16.3": 4, "16.4": 3, "16.5": 4,
}  # fmt: skip
"""How many requirements each section of ASVS 5.0.0 has, in the chapters of the page."""
RTS = {
    *("4(1)", "4(2)(a)", "4(2)(b)", "4(2)(c)"),
    *("4(3)(a)", "4(3)(b)", "4(3)(c)", "4(3)(d)", "4(4)"),
    *("5(1)(a)", "5(1)(b)", "5(1)(c)", "5(1)(d)", "5(2)", "5(3)"),
}
NIST = {"3.1.3.1", "3.1.3.2", "3.1.3.3", "3.1.3.4", "3.2.2"}


def clauses(part: str) -> list[str]:
    """Return the clauses of one standard, each once, without the letters of our own."""
    text = PAGE.partition(f"## {part}")[2].partition("\n## ")[0]
    found = table_rows(text, "| clause | asks for | is | by | shown by |")
    return list(dict.fromkeys(cells[0].partition(" ")[0] for cells in found))


def test_every_row_is_whole_and_its_clause_has_one() -> None:
    """O4: five cells, and a word that the page explains."""
    assert [cells for cells in ROWS if len(cells) != 5 or cells[2] not in WORDS] == []
    counted = Counter((cells[0], cells[1]) for cells in ROWS)
    assert [row for row, number in counted.items() if number > 1] == []
    for word in WORDS:
        assert f"| {word} | " in PAGE


@pytest.mark.parametrize("section", ASVS)
def test_every_requirement_of_a_section_of_asvs_has_a_row(section: str) -> None:
    """O4: or the section as a whole is not applicable."""
    found = [name for name in clauses("OWASP") if re.match(rf"{section}(\.|$)", name)]
    whole = [cells[0] for cells in ROWS if cells[0] == section and cells[2] == "not applicable"]
    each = [f"{section}.{number}" for number in range(1, ASVS[section] + 1)]
    assert found == (whole or each)


def test_no_other_clause_is_named() -> None:
    """O4: an id that the standard does not have would be a guess."""
    assert {name.rpartition(".")[0] for name in clauses("OWASP") if name.count(".") > 1} <= set(
        ASVS
    )
    assert set(clauses("Regulation")) == RTS
    assert set(clauses("NIST")) == NIST


def test_what_is_met_is_shown_by_a_guarantee_or_written_down() -> None:
    """O4: ids that exist; where documentation is asked for, a page."""
    named = {name for cells in ROWS for name in ID.findall(cells[4])}
    assert named - guaranteed() == set()
    bare = [
        cells[0] for cells in ROWS if cells[2] == "met" and not cells[4] and "](" not in cells[3]
    ]
    assert bare == []
    assert [cells[0] for cells in ROWS if re.sub(rf"{ID.pattern}|, ", "", cells[4])] == []


def test_what_is_the_hosts_or_not_met_claims_no_test() -> None:
    """O4: so that nobody reads more into a row than there is."""
    assert [cells[0] for cells in ROWS if cells[2] in {"host", "not met"} and cells[4]] == []


def test_the_bounds_on_the_page_are_those_of_the_settings() -> None:
    """O4: the figures of NIST's clauses, from where they are declared."""
    declared = {key: (kind, default) for key, kind, default, _ in setting_rows()}

    def most(key: str) -> str:
        return declared[key][0].rpartition(" to ")[2]

    life, failures = "OTP_MPP_CODE_LIFE", "OTP_MPP_DISABLE_AFTER"
    assert f"`{life}`: {most(life)} at most, {declared[life][1]} by default" in PAGE
    assert f"`{failures}`: {most(failures)} at most, {declared[failures][1]} by default" in PAGE
    assert f"`OTP_MPP_CODE_DIGITS`: {declared['OTP_MPP_CODE_DIGITS'][0]};" in PAGE


def test_a_guarantee_that_comes_from_a_clause_stands_in_its_row() -> None:
    """O4: the two pages say the same of ASVS, NIST SP 800-63B-4 and the RTS."""
    shown: dict[str, set[str]] = {}
    for cells in ROWS:
        shown.setdefault(cells[0].partition(" ")[0], set()).update(ID.findall(cells[4]))
    missing = []
    for name, _, source in guarantees.rows(guarantees.PAGE.read_text()):
        for standard in re.findall(r"(?:ASVS|NIST|RTS) [^;]*", source):
            for clause in re.findall(r"\d+[.(][\d.()a-z]+", standard):
                if name not in shown.get(clause, set()):
                    missing.append((name, clause))
    assert missing == []
