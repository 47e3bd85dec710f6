"""Send and verify in a store with millions of rows, compared with one of a thousand rows.

A row count means that many challenges, that many requests and that many users. The store's methods
are called directly, from one thread, each time for a new user, alternately in the two stores.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from benchmarks import chart
from benchmarks.empty_stores import available
from benchmarks.filled_stores import fill, opened
from benchmarks.options import repeatable
from benchmarks.report import Report, Table
from benchmarks.stores import POLICY, RIGHT, attempt, draft, p99, reserved
from flask_otp_mpp import Store
from flask_otp_mpp.core.reasons import Outcome

KINDS: Final = ("sqlite", "postgresql")
FEW: Final = 1000
COLUMNS: Final = (
    "store", "rows", "filled in s", "send p50 us", "send p99 us", "verify p50 us", "verify p99 us",
    "send, x 1,000 rows", "verify, x 1,000 rows",
)  # fmt: skip


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    repeatable(parser, "--store", KINDS)
    parser.add_argument(
        "--rows", type=int, help="rows in each table (1000000; with --quick 50000); try 10000000"
    )
    parser.add_argument("--calls", type=int, default=1000, help="calls of each method (1000)")


def run(args: argparse.Namespace) -> Report:
    """Run the command."""
    many = args.rows or (50_000 if args.quick else 1_000_000)
    rows: list[tuple[Any, ...]] = []
    for kind in args.store or available(KINDS):
        rows += _measured(kind, (FEW, many), args.calls)
    return report(Table(f"{args.calls} calls of each method", COLUMNS, rows))


def report(table: Table) -> Report:
    """Return the table, and a chart of few rows beside many."""
    groups: dict[str, dict[str, float]] = {}
    for row in table.data()["rows"]:
        for kind in ("send", "verify"):
            one = groups.setdefault(f"{row['store']}, {kind}", {})
            one[f"{row['rows']:,} rows"] = row[f"{kind} p50 us"]
    drawn = chart.bars(
        "A send and a verify by the size of the store",
        "microseconds, median (less is better)",
        groups,
    )
    return Report("scale", [table], {"scale.svg": drawn})


def _measured(kind: str, counts: Sequence[int], calls: int) -> Iterator[tuple[Any, ...]]:
    with ExitStack() as stack:
        stores, filled = [], []
        for rows in counts:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="otp-mpp-bench-"))
            store, url = stack.enter_context(opened(kind, Path(folder)))
            begin = time.perf_counter()
            fill(url, rows, timedelta())
            stores.append(store)
            filled.append(time.perf_counter() - begin)
        turns = [[_one(store) for store in stores] for _ in range(calls + calls // 10)]
    few: list[float] = []
    for rows, took, pairs in zip(
        counts, filled, zip(*turns[calls // 10 :], strict=True), strict=True
    ):
        sends, verifies = zip(*pairs, strict=True)
        middles = [statistics.median(sends), statistics.median(verifies)]
        few = few or middles
        ratios = [mine / other for mine, other in zip(middles, few, strict=True)]
        figures = (middles[0], p99(sends), middles[1], p99(verifies))
        yield kind, rows, took, *map(round, figures), *ratios


def _one(store: Store) -> tuple[float, float]:
    """Send and verify once; return the microseconds of each."""
    wanted = draft(f"new-{uuid.uuid4().hex}")
    start = time.perf_counter()
    challenge = reserved(store, wanted)
    store.settle(wanted, Outcome(wanted.id))
    middle = time.perf_counter()
    outcome = store.spend(attempt(challenge, RIGHT), POLICY)
    end = time.perf_counter()
    assert outcome.reason is None, outcome.reason
    return (middle - start) * 1e6, (end - middle) * 1e6
