"""The time of each store's methods from one thread, and their round trips to the server.

A send is a reserve and a settle, a verify is a spend; each is for a new user, and the first tenth
is a warm-up. Servers are called through a relay in Python that counts the round trips and adds some
100 us to each.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from benchmarks import chart
from benchmarks.empty_stores import available, empty_store
from benchmarks.options import repeatable
from benchmarks.report import Report, Table
from benchmarks.roundtrips import Relay
from flask_otp_mpp import Policy, SQLAlchemyStore, Store
from flask_otp_mpp.core.challenge import Attempt, Challenge, Channel, Draft
from flask_otp_mpp.core.idempotency import IdempotencyKey
from flask_otp_mpp.core.reasons import Outcome
from flask_otp_mpp.stores import from_url

POLICY: Final = Policy()
RIGHT, WRONG = b"r" * 32, b"w" * 32
NAMES: Final = ("memory", "sqlite", "postgresql", "mysql", "redis")
COLUMNS: Final = ("store", "method", "p50 us", "p99 us", "round trips")


def draft(subject: str) -> Draft:
    """Make a draft of a challenge for a user."""
    key = IdempotencyKey(uuid.uuid4().hex, timedelta(minutes=10))
    # An id as the package makes it: it begins with the time, so new rows are stored together.
    made = f"{time.time_ns() // 1_000_000:012x}{uuid.uuid4().hex}"
    return Draft(made, subject, "caller", "client", Channel.MOBILE, RIGHT, key)


def attempt(challenge: Challenge, digest: bytes) -> Attempt:
    """Make an attempt at a challenge."""
    key = IdempotencyKey(uuid.uuid4().hex, timedelta(minutes=10))
    return Attempt(challenge.id, challenge.subject, challenge.caller, "client", (digest,), key)


def reserved(store: Store, wanted: Draft) -> Challenge:
    """Reserve a challenge; it must not be refused."""
    challenge = store.reserve(wanted, POLICY)
    assert isinstance(challenge, Challenge), challenge
    return challenge


def p99(times: Sequence[float]) -> float:
    """Return the 99th percentile."""
    return statistics.quantiles(times, n=100)[98]


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    repeatable(parser, "--store", NAMES)
    parser.add_argument("--rounds", type=int, help="calls of each method (1000; with --quick 200)")


def run(args: argparse.Namespace) -> Report:
    """Run the command."""
    rounds = args.rounds or (200 if args.quick else 1000)
    rows = [row for name in args.store or available(NAMES) for row in _methods(name, rounds)]
    return report(Table(f"{rounds} calls of each method", COLUMNS, rows))


def report(table: Table) -> Report:
    """Return the table, its short form, and a chart of the medians."""
    groups: dict[str, dict[str, float]] = {}
    for row in table.data()["rows"]:
        groups.setdefault(row["store"], {})[row["method"]] = row["p50 us"]
    drawn = chart.bars("A call of each store", "microseconds, median (less is better)", groups)
    short = table.across(("store",), "method", ("p50 us", "round trips"))
    return Report("stores", [table], {"stores.svg": drawn}, summary=[short])


@contextmanager
def _opened(name: str) -> Iterator[tuple[Store, Relay | None]]:
    """Open an empty store; yield it and, if it has a server, the relay to it."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="otp-mpp-bench-"))
        url = stack.enter_context(empty_store(name, Path(folder)))
        relay = None
        if name not in ("memory", "sqlite"):
            server = sa.make_url(url)
            relay = stack.enter_context(Relay(server.host or "127.0.0.1", server.port or 0))
            url = server.set(port=relay.port).render_as_string(hide_password=False)
        store = from_url(url)
        if isinstance(store, SQLAlchemyStore):
            store.create_tables()
            stack.callback(store.engine.dispose)
        yield store, relay


def _methods(name: str, rounds: int) -> list[tuple[object, ...]]:
    """Time reserve, settle and spend, each for a new user."""
    with _opened(name) as (store, relay):
        drafts = [draft(f"user-{number}-{uuid.uuid4().hex[:8]}") for number in range(rounds)]
        made: list[Challenge] = []

        def reserve(one: Draft) -> None:
            made.append(reserved(store, one))

        rows = [_timed(name, "reserve", relay, [partial(reserve, one) for one in drafts])]
        settle = [partial(store.settle, one, Outcome(one.id)) for one in drafts]
        rows.append(_timed(name, "settle", relay, settle))
        for method, digest in (("spend, wrong", WRONG), ("spend, right", RIGHT)):
            attempts = [attempt(challenge, digest) for challenge in made]
            spend = [partial(store.spend, one, POLICY) for one in attempts]
            rows.append(_timed(name, method, relay, spend))
        return rows


def _timed(
    name: str, method: str, relay: Relay | None, work: Sequence[Callable[[], object]]
) -> tuple[object, ...]:
    """Time each piece of work; the first tenth is a warm-up."""
    warm = len(work) // 10
    for piece in work[:warm]:
        piece()
    before = relay.round_trips if relay else 0
    times = []
    for piece in work[warm:]:
        begin = time.perf_counter()
        piece()
        times.append((time.perf_counter() - begin) * 1e6)
    trips = (relay.round_trips - before) / len(times) if relay else "-"
    return name, method, round(statistics.median(times)), round(p99(times)), trips
