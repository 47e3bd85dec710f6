"""Each kind of bad request is measured beside a good send; only expected answers count."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks import google_flood
from benchmarks.bad_requests import ABOVE_LIMIT, BAD, SIGNED
from benchmarks.flood import COLUMNS, Flood
from benchmarks.inprocess import open_apps
from benchmarks.wire import RequestKind
from tests.benchmarks.test_load import bench, rows

pytestmark = pytest.mark.slow


def test_each_kind_of_bad_request_is_measured_beside_a_good_send() -> None:
    """X2: and takes few signatures, however many requests there are."""
    status, reports = bench("flood", "--store=memory", "--peer=lean", "--blocks=1")
    assert status == 0, reports
    measured = {row["bad request"]: row for row in rows(reports)}
    kinds = [*BAD, *SIGNED, *ABOVE_LIMIT]
    assert list(measured) == [*kinds, *google_flood.BAD]
    assert all(0 < row["bad, us"] < row["good send, us"] for row in measured.values())
    found = {name: measured[name] for name in kinds}
    for row in found.values():
        assert set(row) == set(COLUMNS)
        assert row["at most 0.2"] == ("yes" if row["bad / good"] <= 0.2 else "no")
        signed, sent = map(int, row["signed"].split("/"))
        assert sent == 100
        assert signed <= 30
    assert found["the same, unknown path"]["signed"] == "0/100"


def test_an_answer_other_than_the_expected_one_ends_the_run() -> None:
    with open_apps(["wallet"], "memory") as [app]:
        wrong = replace(BAD["wrong signature"], codes=frozenset({"SUCCESS"}))
        flood = Flood(app, "wrong signature", wrong)
        environs = flood.forged(app.prepared(RequestKind.SEND, 1))
        with pytest.raises(RuntimeError, match="wrong signature was answered by 'INVALID_SIG"):
            flood.work(environs)
