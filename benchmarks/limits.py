"""The cost of the two traffic limits of a request, in memory and in Redis, and of a decorator.

One thread checks as the blueprint does: by address before the signature is verified, by client
after it. Redis is called through a relay in Python that counts the round trips and adds some 100 us
to each. Memory is measured long enough that the storage's clearing of expired counts is included.
The decorator is Flask-Limiter's on an empty view, minus the cost of the view without it.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from flask import Flask
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from limits import parse

from benchmarks.empty_stores import available, empty_store
from benchmarks.options import repeatable
from benchmarks.report import FIGURES, Report, Table
from benchmarks.roundtrips import Relay
from flask_otp_mpp.web.limiter import own_limiter
from flask_otp_mpp.web.traffic import FlaskTrafficLimiter, LimiterCounts
from flask_otp_mpp.web.traffic_settings import OnLimiterFailure

NAMES: Final = ("memory", "redis")
LIMIT: Final = "1000000 per minute"
COLUMNS: Final = ("storage", "what", "us", "CPU us", "round trips")


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    repeatable(parser, "--storage", NAMES)
    parser.add_argument("--rounds", type=int, help="requests of each kind (5000; with --quick 500)")


def run(args: argparse.Namespace) -> Report:
    """Run the command."""
    rounds = args.rounds or (500 if args.quick else 5000)
    rows = [row for name in args.storage or available(NAMES) for row in _measured(name, rounds)]
    return Report("limits", [Table(f"{rounds} requests of each kind", COLUMNS, rows)], page=FIGURES)


def _measured(name: str, rounds: int) -> list[tuple[object, ...]]:
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="otp-mpp-bench-"))
        url, relay = stack.enter_context(empty_store(name, Path(folder))), None
        if name == "redis":
            port = int(url.rpartition(":")[2].partition("/")[0])
            relay = stack.enter_context(Relay("127.0.0.1", port))
            url = url.replace(f":{port}", f":{relay.port}")
        limit = (parse(LIMIT),)
        traffic = FlaskTrafficLimiter(
            LimiterCounts(own_limiter({}, url, "fixed-window")),
            limit,
            limit,
            OnLimiterFailure.CLOSED,
        )

        def check_both() -> None:
            traffic.check_address("192.0.2.1")
            traffic.check_client("alipayplus", "CLIENT")

        empty = _timed(_viewed(None), rounds, None)
        decorated = _timed(_viewed(url), rounds, relay)
        beyond = tuple(a - b for a, b in zip(decorated[:2], empty[:2], strict=True))
        return [
            (name, "both limits of a request", *_timed(check_both, rounds, relay)),
            (name, "one limit by a decorator", *beyond, decorated[2]),
        ]


def _viewed(storage: str | None) -> Callable[[], object]:
    """Return a function that calls an empty view, with a limit if there is a storage for it."""
    app = Flask(__name__)

    def view() -> str:
        return ""

    if storage is not None:
        view = Limiter(get_remote_address, app=app, storage_uri=storage).limit(LIMIT)(view)
    app.add_url_rule("/", view_func=view)
    client: Any = app.test_client()
    return lambda: client.get("/")


def _timed(
    work: Callable[[], object], rounds: int, relay: Relay | None
) -> tuple[float, float, float | str]:
    """Return, per call, microseconds, microseconds of processor time, and round trips."""
    for _ in range(rounds // 10):
        work()
    before = relay.round_trips if relay else 0
    took, spent = [], []
    for _ in range(10):  # the median of ten blocks
        begin, cpu = time.perf_counter(), time.process_time()
        for _ in range(rounds // 10):
            work()
        took.append((time.perf_counter() - begin) / (rounds // 10) * 1e6)
        spent.append((time.process_time() - cpu) / (rounds // 10) * 1e6)
    trips = (relay.round_trips - before) / (rounds // 10 * 10) if relay else "-"
    return statistics.median(took), statistics.median(spent), trips
