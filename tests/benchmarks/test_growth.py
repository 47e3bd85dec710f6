"""The memory of a user is that of the server, and the simulation is beside what was measured."""

from __future__ import annotations

import pytest

from benchmarks import growth, simulate
from benchmarks.__main__ import parser
from benchmarks.processes import ROOT
from benchmarks.queueing import Cost, Wallet, log_normal
from tests.services import program


@pytest.mark.server
@pytest.mark.slow
def test_a_user_takes_more_memory_by_clients_and_less_by_the_setting_of_deploy() -> None:
    program("redis-server")
    [table] = growth.run(parser().parse_args(["growth", "--users", "1000"])).tables
    rows = table.data()["rows"]
    sizes = [row["bytes a user"] for row in rows]
    own, compact = sizes[:3], sizes[3:]
    assert [row["clients"] for row in rows] == 2 * [1, 3, 10]
    assert 1000 < own[0] < own[1] < own[2]
    assert all(less < 0.92 * size for less, size in zip(compact, own, strict=True))
    setting = f"{growth.SETTING} {growth.VALUES[1]}"
    assert setting in (ROOT / "deploy" / "redis.conf").read_text().splitlines()
    assert all(row["answers over"] < row["bytes a user"] for row in rows)
    assert all(200 < row["bytes a guess"] < 800 for row in rows)


@pytest.mark.slow
def test_a_slower_provider_needs_more_threads() -> None:
    base = Wallet(1, 1, 1, Cost(0.002, 0.001), Cost(0.001, 0.001), log_normal(0.1))
    rows, hung, chart = simulate.predictions(base, 5, (0.05, 1.0))
    threads = [row["threads a process"] for row in rows.data()["rows"]]
    assert threads == sorted(threads)
    assert threads[-1] > 10 * threads[0]
    assert len(hung.rows) == len(threads) == len(chart)
