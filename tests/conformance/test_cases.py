"""Each case says what it is: an id of its own, one line, and where its rule is written."""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

import pytest
from click.testing import CliRunner

from flask_otp_mpp.conformance.case import GOOGLE, SIGNED, Wire
from flask_otp_mpp.conformance.cli import main
from flask_otp_mpp.conformance.registry import MODULES, cases_of

CASES: Final = [case for cases in MODULES for case in cases]
FEWEST: Final = {**dict.fromkeys(SIGNED, 380), **dict.fromkeys(GOOGLE, 240)}
"""The cases of each protocol, which must not get fewer unnoticed."""


@pytest.mark.parametrize("wire", Wire)
def test_no_two_cases_of_a_protocol_have_one_id(wire: Wire) -> None:
    """A report, a baseline and ``--only`` name a case by its id."""
    numbers = Counter(case.id for case in cases_of(wire))
    assert [name for name, number in numbers.items() if number > 1] == []


def test_a_case_has_an_id_a_title_and_a_rule_of_one_line_each() -> None:
    """They become lines of a list and of a report."""
    faults = [
        case.id
        for case in CASES
        if not re.fullmatch(r"[a-z]+\.[a-z0-9]+(-[a-z0-9]+)*", case.id)
        or not re.fullmatch(r"\S.*[^.\s]", case.title)
        or not re.fullmatch(r"\S.*\.", case.rule)
        or not case.wires
    ]
    assert faults == []


def test_a_case_names_its_source_or_says_that_it_is_our_reading() -> None:
    """Where no document speaks, a wallet that reads otherwise learns what else is accepted."""
    faults = [
        case.id
        for case in CASES
        if not (case.source.document and case.source.section)
        or (case.source.document == "none" and not case.source.reading)
    ]
    assert faults == []


@pytest.mark.parametrize("wire", sorted(FEWEST))
def test_a_protocol_has_many_cases(wire: Wire) -> None:
    assert len(cases_of(wire)) >= FEWEST[wire]


def test_the_command_lists_protocol_id_and_title_of_each_case() -> None:
    done = CliRunner().invoke(main, ["--list"])
    expected = [f"{wire} {case.id} {case.title}" for wire in Wire for case in cases_of(wire)]
    assert (done.exit_code, done.output.splitlines()) == (0, expected)
