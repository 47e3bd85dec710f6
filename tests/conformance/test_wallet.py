"""The kit finds nothing wrong with a wallet that this package serves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from flask_otp_mpp.conformance.case import Group, Need, Wire
from flask_otp_mpp.conformance.registry import cases_of
from flask_otp_mpp.conformance.run import Status, Verdict, run
from flask_otp_mpp.conformance.target import read_target
from tests.conformance.endpoints import served


@pytest.mark.slow
def test_a_wallet_passes_every_case_of_google(tmp_path: Path) -> None:
    """Those of Alipay+ and AMS are played against servers of several workers."""
    with served(Wire.GOOGLE_JOSE, tmp_path) as file:
        done = run(read_target(file), cases_of(Wire.GOOGLE_JOSE))
    assert {one.case.id: one.said for one in done.results if one.status is not Status.PASSED} == {}
    assert done.verdict is Verdict.CONFORMS


def test_what_the_configuration_lacks_is_named_and_skipped(tmp_path: Path) -> None:
    cases = [case for case in cases_of(Wire.ALIPAYPLUS) if case.group is Group.USERS]
    with served(Wire.ALIPAYPLUS, tmp_path) as file:
        done = run(replace(read_target(file), states={}, inbox=None), cases)
    skipped = {one.case.id: one.said for one in done.results if one.status is Status.SKIPPED}
    assert skipped["users.send-expired-token"] == (
        f"the configuration has no: {Need.EXPIRED.value}"
    )
    assert set(skipped) == {case.id for case in cases if case.needs}
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
