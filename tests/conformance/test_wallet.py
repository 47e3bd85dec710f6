"""The kit finds nothing wrong with a wallet that this package serves."""

from __future__ import annotations

from pathlib import Path

import pytest

from flask_otp_mpp.conformance.case import Wire
from flask_otp_mpp.conformance.registry import cases_of
from flask_otp_mpp.conformance.run import Status, Verdict, run
from flask_otp_mpp.conformance.target import read_target
from tests.conformance.endpoints import served


@pytest.mark.parametrize("wire", [Wire.ALIPAYPLUS, Wire.AMS])
def test_a_wallet_of_this_package_passes_every_case(wire: Wire, tmp_path: Path) -> None:
    with served(wire, tmp_path) as file:
        done = run(read_target(file), cases_of(wire))
    assert {one.case.id: one.said for one in done.results if one.status is not Status.PASSED} == {}
    assert done.verdict is Verdict.CONFORMS
