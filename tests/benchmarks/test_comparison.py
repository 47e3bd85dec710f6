"""What was measured under load: the floor is the reference, and only right answers count."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from benchmarks.comparison import Cell, Comparison
from benchmarks.measurement import Measurement

SEND = Cell("sqlite", "gunicorn", "send", 16)
ONE = Measurement(
    rate=400.0, p50=10.0, p99=30.0, cpu=2000.0, answers=1600, wrong=Counter(), sampled=20, forged=0
)  # fmt: skip


@pytest.fixture
def compared() -> Comparison:
    made = Comparison(4.0, 5)
    for rate in (300.0, 200.0, 240.0, 280.0, 260.0):
        made.add(SEND, "lean", replace(ONE, rate=rate, p99=60.0))
        made.add(SEND, "floor", ONE)
    return made


def rows(compared: Comparison) -> list[dict[str, Any]]:
    [table] = compared.report().tables
    found: list[dict[str, Any]] = table.data()["rows"]
    return found


def test_a_row_holds_the_median_ratio_and_its_interval(compared: Comparison) -> None:
    lean, floor = rows(compared)
    assert [lean["x floor"], lean["lowest"], lean["highest"]] == [0.65, 0.5, 0.75]
    assert (lean["p99 x floor"], lean["CPU x floor"]) == (2.0, 1.0)
    assert lean["answers"] == 8000
    assert floor["x floor"] == floor["lowest"] == floor["highest"] == 1.0
    assert "94% for lowest to highest" in compared.report().tables[0].title


def test_without_the_floor_there_are_no_ratios(compared: Comparison) -> None:
    del compared.measurements[SEND, "floor"]
    [lean] = rows(compared)
    assert lean["x floor"] == lean["lowest"] == lean["CPU x floor"] == "-"
    assert list(compared.report().charts) == ["load-cpu.svg"]


def test_each_server_and_number_of_connections_has_a_table(compared: Comparison) -> None:
    compared.add(replace(SEND, connections=64), "lean", ONE)
    assert [table.title.split("; ")[0] for table in compared.report().tables] == [
        "gunicorn, 2 workers of 4 threads, 16 connections",
        "gunicorn, 2 workers of 4 threads, 64 connections",
    ]


@pytest.mark.parametrize(
    ("what", "fault"),
    [
        ({"wrong": Counter({"PROCESS_FAIL": 2})}, "lean: wrong answers {'PROCESS_FAIL': 2}"),
        ({"forged": 1}, "lean: 19 of 20 signatures are valid"),
        ({"sampled": 0}, "lean: 0 of 0 signatures are valid"),
    ],
)
def test_a_wrong_answer_makes_the_run_invalid(
    compared: Comparison, what: dict[str, Any], fault: str
) -> None:
    assert compared.report().faults == []
    compared.add(SEND, "lean", replace(ONE, **what))
    [found] = compared.faults
    assert found.endswith(fault)
