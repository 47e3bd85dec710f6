"""Google's rounds are measured by method and envelope, and only right answers are."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.google import GOALS, desk, percentile, run
from tests.benchmarks.test_load import bench, rows


@pytest.mark.parametrize("envelope", ["jose", "pgp"])
def test_each_method_is_measured_by_each_envelope(envelope: str) -> None:
    status, reports = bench("google", f"--envelope={envelope}", "--rounds=3")
    assert status == 0, reports
    found = {row["method"]: row for row in rows(reports)}
    assert list(found) == ["echo", "sendOtp", "verifyOtp"]
    for row in found.values():
        assert (row["envelope"], row["rounds"]) == (envelope, 3)
        assert 0 < row["p50 ms"] <= row["p99 ms"]
        assert 0 < row["p50 in signatures"] <= row["p99 in signatures"]
    assert found["verifyOtp"]["goal for p99"] == f"{GOALS[envelope, 'verifyOtp']:g} ms"
    assert found["verifyOtp"]["met"] in {"yes", "no"}
    assert found["echo"]["met"] == "-"


@pytest.mark.parametrize(("limit", "met"), [(0.0, "no"), (60_000.0, "yes")])
def test_a_goal_is_met_if_the_slowest_of_a_hundred_is_below_it(
    limit: float, met: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(GOALS, ("jose", "verifyOtp"), limit)
    report = run(argparse.Namespace(envelope=["jose"], rounds=2, quick=False))
    assert [row[-1] for row in report.tables[0].rows] == ["-", "-", met]


def test_a_wrong_answer_ends_the_run(tmp_path: Path) -> None:
    with desk("jose", tmp_path) as wallet:
        wallet.block(["+8613000000001"])
        with pytest.raises(RuntimeError, match="sendOtp was answered by"):
            wallet.block(["+8613000000001"])  # whose cool-down has not ended


def test_a_wrong_code_is_no_round(tmp_path: Path) -> None:
    class Misread(list[Any]):
        def __getitem__(self, part: Any) -> Any:
            return [(user, replace(message, code="none")) for user, message in super()[part]]

    with desk("jose", tmp_path) as wallet:
        inbox = wallet.inbox
        inbox.received = Misread()
        with pytest.raises(RuntimeError, match="OTP_NOT_MATCHED"):
            wallet.block(["+8613000000001"])


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
