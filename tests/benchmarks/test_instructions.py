"""Instructions of a request: counted by callgrind, and compared with the page's figures."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.callgrind import by_object, counts
from benchmarks.instructions import KINDS, Leg, count
from benchmarks.regression import changes, python_of
from benchmarks.report import FIGURES
from benchmarks.wire import RequestKind
from tests.services import program

DUMP = """\
version: 1
positions: line
events: Ir
ob=(1) /usr/lib/libpython3.11.so
fl=(1) ???
fn=(1) PyEval
10 1000
+2 20
cob=(2) /usr/lib/libc.so.6
cfn=(2) malloc
calls=3 0
10 400
* 5
ob=(2)
fn=(2)
0 400
ob=(1)
fn=(3) dict_get
-4 7
totals: 1432
"""
PAGE_ROWS = """\
<!-- instructions -->
Measured on 2026-11-27, 2 cores, Python 3.11.7. Instructions:

| memory | send | lean | 8,000,000 | 6,200,000 | 1,800,000 | 2.50 | 0.4% |
| memory | send | floor | 7,000,000 | 6,280,000 | 720,000 | 1.00 | 0.2% |
<!-- /instructions -->
"""


def leg(peer: str, *blocks: int) -> Leg:
    rust = "/x/cryptography/hazmat/bindings/_rust.abi3.so"
    counters = [Counter({"/x/libpython3.11.so": own, rust: 10**7 - own}) for own in blocks]
    return Leg("memory", RequestKind.SEND, peer, counters)


def test_instructions_are_charged_to_the_file_that_executed_them_and_only_once() -> None:
    counted = by_object(DUMP)
    assert counted == {"/usr/lib/libpython3.11.so": 1032, "/usr/lib/libc.so.6": 400}


def test_the_block_with_the_least_own_code_counts() -> None:
    one = leg("lean", 1_860_000, 1_800_000)
    assert one.own == 1_800_000
    assert one.least.total() == 10**7
    assert one.spread == pytest.approx(1 / 30)


def test_a_leg_that_changed_is_named_with_the_command_that_writes_its_figure() -> None:
    [change] = changes([leg("lean", 1_900_000), leg("floor", 720_000)], PAGE_ROWS)
    assert change.startswith("lean, send on memory: from 1,800,000 to 1,900,000 instructions (+5.6")
    assert change.endswith("python -m benchmarks instructions --write")
    [less] = changes([leg("lean", 1_700_000), leg("floor", 720_000)], PAGE_ROWS)
    assert "(-5.6%)" in less


def test_figures_are_scaled_by_the_floor_of_the_same_run() -> None:
    """Another build of Python needs other instructions for both."""
    assert changes([leg("lean", 1_880_000), leg("floor", 720_000)], PAGE_ROWS) == []
    assert changes([leg("lean", 1_980_000), leg("floor", 792_000)], PAGE_ROWS) == []


def test_a_leg_without_a_figure_is_named() -> None:
    [new] = changes([leg("wallet", 1), leg("floor", 720_000)], PAGE_ROWS)
    assert new.startswith("wallet, send on memory: the page has no figure")


@pytest.mark.server
@pytest.mark.slow
def test_a_program_that_fails_is_reported_with_its_log(tmp_path: Path) -> None:
    program("valgrind")
    with pytest.raises(RuntimeError, match="unrecognized arguments: --wrong"):
        counts("json.tool", ["--wrong"], tmp_path)


@pytest.mark.server
@pytest.mark.slow
def test_a_request_executes_as_many_instructions_as_the_page_says() -> None:
    program("valgrind")
    page = FIGURES.read_text()
    if python_of(page) != f"{sys.version_info.major}.{sys.version_info.minor}":
        pytest.skip(f"the page's figures are of Python {python_of(page)}")
    legs = count("sqlite", ("lean", "floor"), size=6, blocks=2)
    assert [one.kind for one in legs[::2]] == list(KINDS)
    found = changes(legs, page)
    assert not found, "\n".join(found)
