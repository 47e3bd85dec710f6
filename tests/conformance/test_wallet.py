"""The kit finds nothing wrong with a wallet that this package serves."""

from __future__ import annotations

from pathlib import Path

import pytest

from flask_otp_mpp.conformance.case import Group, Wire
from flask_otp_mpp.conformance.registry import cases_of
from flask_otp_mpp.conformance.run import Status, Verdict, run
from flask_otp_mpp.conformance.target import read_target
from tests.conformance.endpoints import served


@pytest.mark.parametrize("wire", [Wire.ALIPAYPLUS, Wire.AMS, Wire.GOOGLE_JOSE])
def test_a_wallet_of_this_package_passes_every_case(wire: Wire, tmp_path: Path) -> None:
    with served(wire, tmp_path) as file:
        done = run(read_target(file), cases_of(wire))
    assert {one.case.id: one.said for one in done.results if one.status is not Status.PASSED} == {}
    assert done.verdict is Verdict.CONFORMS


@pytest.mark.server
@pytest.mark.slow
def test_a_wallet_passes_what_differs_by_pgp(gnupg: None, tmp_path: Path) -> None:
    """The cases of PGP alone, and one group of each kind: what follows is the same as by JOSE."""
    by_pgp = frozenset({Wire.GOOGLE_PGP})
    groups = {Group.HAPPY_PATH, Group.RACES, Group.ISOLATION, Group.ANSWERS}
    cases = [one for one in cases_of(Wire.GOOGLE_PGP) if one.wires == by_pgp or one.group in groups]
    with served(Wire.GOOGLE_PGP, tmp_path) as file:
        done = run(read_target(file), cases)
    assert {one.case.id: one.said for one in done.results if one.status is not Status.PASSED} == {}
    assert done.count(Status.PASSED) > 70
