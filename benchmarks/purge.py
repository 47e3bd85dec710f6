"""A purge of very many expired rows, and what a caller notices of it.

The store is filled with expired challenges, as many requests and as many users' limits. A separate
process purges them, as `flask otp-mpp purge` does, and times its transactions: while one is open,
SQLite lets no other process write. Meanwhile this process sends and verifies for a new user every
hundredth of a second, or as fast as it can; a request that the store refuses is counted as failed.
A purge that ends because the store is locked is started again, and counted too.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from benchmarks import chart
from benchmarks.empty_stores import available
from benchmarks.filled_stores import fill, opened
from benchmarks.options import repeatable
from benchmarks.progress import note
from benchmarks.report import Report, Table
from benchmarks.stores import POLICY, RIGHT, attempt, draft, p99, reserved
from flask_otp_mpp import SQLAlchemyStore, Store
from flask_otp_mpp.core.ports import StoreError
from flask_otp_mpp.core.reasons import Outcome
from flask_otp_mpp.stores.sql.schema import challenges, user_limits

KINDS: Final = ("sqlite", "postgresql")
BEFORE: Final = 300
"""How many requests are measured before the purge, for comparison."""
PACE: Final = 0.01
"""Seconds between one user and the next."""
COLUMNS: Final = (
    "store", "rows", "filled in s", "purged in s", "us a row", "longest transaction ms",
    "verify p99 before ms", "meanwhile ms", "longest ms", "requests meanwhile",
    "failed", "purge given up",
)  # fmt: skip


@dataclass(slots=True)
class Traffic:
    """What a caller measured; times in milliseconds."""

    verifies: list[float] = field(default_factory=list)
    failed: int = 0


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    repeatable(parser, "--store", KINDS)
    parser.add_argument(
        "--rows", type=int, help="rows in all tables together (1000000; with --quick 30000)"
    )


def run(args: argparse.Namespace) -> Report:
    """Run the command."""
    rows = args.rows or (30_000 if args.quick else 1_000_000)
    found = [_measured(kind, rows // 3) for kind in args.store or available(KINDS)]
    return report(Table("A purge in a process of its own", COLUMNS, found))


def report(table: Table) -> Report:
    """Return the table, and a chart of a verify before and meanwhile."""
    groups = {
        f"{row['store']}, {row['rows']:,} rows": {
            "p99 before": row["verify p99 before ms"],
            "p99 meanwhile": row["meanwhile ms"],
            "longest meanwhile": row["longest ms"],
        }
        for row in table.data()["rows"]
    }
    drawn = chart.bars("A verify beside a purge", "ms (less is better)", groups)
    return Report("purge", [table], {"purge.svg": drawn})


def _measured(kind: str, each: int) -> tuple[object, ...]:
    with (
        tempfile.TemporaryDirectory(prefix="otp-mpp-bench-") as folder,
        opened(kind, Path(folder)) as (store, url),
    ):
        begin = time.perf_counter()
        fill(url, each, timedelta(days=30))
        filled = time.perf_counter() - begin
        before = Traffic()
        run_traffic(store, before, lambda: len(before.verifies) >= BEFORE)
        receiver, sender = multiprocessing.Pipe(duplex=False)
        # Spawned, not forked: the other process shares nothing with this one.
        purger = multiprocessing.get_context("spawn").Process(target=purge, args=(url, sender))
        purger.start()
        sender.close()
        note(f"purging {each * 3:,} rows from {kind}")
        meanwhile = Traffic()
        try:
            assert receiver.recv() is None  # it has started, and purges from now on
            run_traffic(store, meanwhile, receiver.poll)
            took, longest, given_up = receiver.recv()
        finally:
            purger.join(10)
            if purger.is_alive():
                purger.terminate()
        note()
        with store.engine.connect() as db:
            for table in (challenges, user_limits):
                left = sa.select(sa.func.count()).where(table.c.subject.like("user-%"))
                assert db.scalar(left) == 0, f"{table.name} still holds expired rows"
        rows = each * 3
        return (
            kind, rows, filled, took, took / rows * 1e6, longest * 1e3,
            p99(before.verifies), p99(meanwhile.verifies), max(meanwhile.verifies),
            len(meanwhile.verifies), meanwhile.failed, given_up,
        )  # fmt: skip


def purge(url: str, sender: Connection) -> None:
    """Purge; send the seconds it took, the longest transaction, and how often it gave up."""
    store = SQLAlchemyStore(url)
    opened_at = longest = 0.0

    def begin(_: sa.Connection) -> None:
        nonlocal opened_at
        opened_at = time.perf_counter()

    def end(_: sa.Connection) -> None:
        nonlocal longest
        longest = max(longest, time.perf_counter() - opened_at)

    # After the store's own listener, which waits for SQLite's lock.
    sa.event.listen(store.engine, "begin", begin)
    sa.event.listen(store.engine, "commit", end)
    sender.send(None)
    start = time.perf_counter()
    given_up = 0
    while True:
        try:
            store.purge(POLICY)
            break
        except StoreError:
            given_up += 1
    sender.send((time.perf_counter() - start, longest, given_up))


def run_traffic(store: Store, seen: Traffic, over: Callable[[], bool]) -> None:
    """Send and verify until ``over``, and twenty times at least."""
    due = time.perf_counter()
    while len(seen.verifies) < 20 or not over():
        due = max(due + PACE, time.perf_counter())
        time.sleep(max(0.0, due - time.perf_counter()))
        wanted = draft(f"live-{uuid.uuid4().hex}")
        try:
            challenge = reserved(store, wanted)
            store.settle(wanted, Outcome(wanted.id))
            begin = time.perf_counter()
            outcome = store.spend(attempt(challenge, RIGHT), POLICY)
            seen.verifies.append((time.perf_counter() - begin) * 1e3)
            assert outcome.reason is None, outcome.reason
        except StoreError:
            seen.failed += 1
