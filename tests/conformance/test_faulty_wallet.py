"""Each fault of a wallet fails exactly the cases that are about it.

All cases against all faults take minutes. So each fault is shown its own cases, those that look at
all answers, and a share of the others, so that each case meets a few faults that are not its own.
``OTP_MPP_EVERY_CASE=1`` plays all of them::

    OTP_MPP_EVERY_CASE=1 python -m pytest -n auto tests/conformance/test_faulty_wallet.py

Without it the module takes half a minute of one core, with it seven minutes. Floods are played
where a fault names them: each costs as much as a hundred other cases.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from flask_otp_mpp.conformance.case import SIGNED, AnyCase, Group
from flask_otp_mpp.conformance.registry import cases_of
from flask_otp_mpp.conformance.run import Run, Status, run
from flask_otp_mpp.conformance.target import read_target
from tests.conformance.faulty.fault import Fault
from tests.conformance.faulty_wallet import FAULTS, served_with

pytestmark = pytest.mark.slow

EVERY_CASE: Final = os.environ.get("OTP_MPP_EVERY_CASE") == "1"
SHARE: Final = 60
"""Of so many cases that are not about a fault, one is played."""
ANSWERED: Final = ("happy.mobile", "happy.is-passed", "users.send-expired-token")
"""These give a success and a refusal to the cases that look at all answers."""


def chosen(fault: Fault) -> Iterator[AnyCase]:
    """Choose the cases that a fault is shown."""
    cases = cases_of(fault.wire)
    number = list(FAULTS).index(fault.name)
    for place, case in enumerate(cases):
        if case.group is Group.FLOODS:
            others = False
        else:
            others = EVERY_CASE or case.last or place % SHARE == number % SHARE
        if others or case.id in fault.fails or case.id in ANSWERED:
            yield case


def found(done: Run) -> dict[str, str]:
    """Return the cases that failed, with what they say."""
    return {one.case.id: one.said for one in done.results if one.status is Status.FAILED}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_fault_fails_its_cases_and_no_others(fault: Fault, tmp_path: Path) -> None:
    cases = list(chosen(fault))
    with served_with(fault, tmp_path) as file:
        failed = found(run(read_target(file), cases))
    judged = {case.id for case in cases} - {*fault.sometimes}
    if not EVERY_CASE:  # that a code is never answered shows in the whole of its group only
        judged = {name for name in judged if not name.startswith("answers.seen-")}
    failed = {name: said for name, said in failed.items() if name in judged}
    expected = judged & {*fault.fails}
    assert {name: failed.get(name, "passed") for name in failed.keys() ^ expected} == {}


def test_each_fault_names_cases_that_are_there() -> None:
    ids = {wire: {case.id for case in cases_of(wire)} for wire in SIGNED}
    for fault in FAULTS.values():
        assert fault.fails
        assert {*fault.fails, *fault.sometimes} <= ids[fault.wire]


def test_a_layer_that_changes_nothing_fails_no_case(tmp_path: Path) -> None:
    none = Fault(
        "none", "Nothing is wrong.", (), layer=lambda: lambda request, answer: answer(request)
    )
    with served_with(none, tmp_path) as file:
        cases = [case for case in cases_of(none.wire) if case.group is not Group.FLOODS]
        assert found(run(read_target(file), cases)) == {}
