"""Google's rounds are measured by method and envelope; only right answers count."""

from __future__ import annotations

import argparse
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from benchmarks.driver import percentile
from benchmarks.google import GOALS, account, run
from flask_otp_mpp import Caller, Channel, Message
from flask_otp_mpp.core.secret import Secret
from flask_otp_mpp.testing import Inbox
from tests.benchmarks.test_load import bench, rows
from tests.services import program

NUMBER = "+8613000000001"


@pytest.mark.slow
@pytest.mark.parametrize("sealer", ["jose", pytest.param("pgp", marks=pytest.mark.server)])
def test_each_method_is_measured_by_each_envelope(sealer: str) -> None:
    if sealer == "pgp":
        program("gpg")
    status, reports = bench("google", f"--envelope={sealer}", "--rounds=3")
    assert status == 0, reports
    found = {row["method"]: row for row in rows(reports)}
    assert list(found) == ["echo", "sendOtp", "verifyOtp"]
    for row in found.values():
        assert (row["envelope"], row["rounds"]) == (sealer, 3)
        assert 0 < row["p50 ms"] <= row["p99 ms"]
        assert 0 < row["p50 in signatures"] <= row["p99 in signatures"]
    assert found["verifyOtp"]["goal for p99"] == f"{GOALS[sealer, 'verifyOtp']:g} ms"
    assert found["verifyOtp"]["met"] in {"yes", "no"}
    assert found["echo"]["met"] == "-"


@pytest.mark.slow
@pytest.mark.parametrize(("limit", "met"), [(0.0, "no"), (60_000.0, "yes")])
def test_a_goal_is_met_if_the_slowest_of_a_hundred_is_below_it(
    limit: float, met: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(GOALS, ("jose", "verifyOtp"), limit)
    report = run(argparse.Namespace(envelope=["jose"], rounds=2, quick=False))
    assert [row[-1] for row in report.tables[0].rows] == ["-", "-", met]


def test_an_answer_other_than_the_expected_one_ends_the_run(tmp_path: Path) -> None:
    with account("jose", tmp_path) as wallet:
        wallet.block([NUMBER])
        with pytest.raises(RuntimeError, match="verifyOtp was answered by 'OTP_ALREADY_USED'"):
            wallet.block([NUMBER])  # the send is a repeat, and its code has been used


def test_a_wrong_code_ends_the_run(tmp_path: Path) -> None:
    misread, caller = Inbox(), Caller("google", "gpay")
    misread(
        NUMBER, Message(Secret("no code"), Secret(""), Channel.MOBILE, timedelta(minutes=5), caller)
    )
    with (
        account("jose", tmp_path) as wallet,
        pytest.raises(RuntimeError, match="verifyOtp was answered by 'OTP_NOT_MATCHED'"),
    ):
        replace(wallet, inbox=misread).block([NUMBER])
    assert len(wallet.inbox) == 1


@pytest.mark.slow
def test_what_gpg_is_needed_for_is_left_out_without_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("benchmarks.google.shutil.which", lambda program: None)
    report = run(argparse.Namespace(envelope=None, rounds=1, quick=False))
    assert {row[0] for row in report.tables[0].rows} == {"jose"}
    assert "pgp is left out: gpg is not installed" in capsys.readouterr().err


def test_a_percentile_is_one_of_the_values() -> None:
    values = [float(number) for number in range(200, 0, -1)]
    assert (percentile(values, 0.5), percentile(values, 0.99)) == (100.0, 198.0)
    assert percentile([7.0], 0.99) == 7.0
