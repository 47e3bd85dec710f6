"""How many threads a wallet needs, by a simulation that first repeats a measured run.

A wallet whose provider has a random latency is measured in processes of gunicorn, with as many
connections to each. The same is simulated. The processor time of a request and what it waits for
are measured just before, on one connection without a provider. A predicted throughput that is more
than a fifth away from the measured one makes the run fail.

Then processes are simulated that get sends and as many verifies by chance, at half of the load
that a processor could do, and 100 sends a second at most. The threads are the fewest with which at
most one send of a thousand is refused or answered after the five seconds that a caller waits, and
99 of 100 verifies are answered within a quarter of a second.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from typing import Final

from benchmarks import chart, peers, provider
from benchmarks.database_costs import spent_by
from benchmarks.driver import drive
from benchmarks.empty_stores import STORES
from benchmarks.measurement import LOADS, over_http, requests
from benchmarks.processes import Server, cores, serving
from benchmarks.progress import note
from benchmarks.queueing import (
    Cost,
    Ending,
    Request,
    Wallet,
    closed,
    hangs_after,
    log_normal,
    of_kind,
    opened,
    share,
)
from benchmarks.report import SCALING, Report, Table
from benchmarks.wire import EXPECTED, Answer, RequestKind

PROCESSES: Final = 2
THREADS: Final = 8
LEGS: Final = ((16, 0.05), (8, 0.2), (16, 0.5), (32, 1.0), (32, 2.0))
"""What is measured: connections, and the 95th percentile of the provider in seconds."""
LATENCIES: Final = (0.05, 0.2, 0.5, 1.0, 2.0, 3.0)
RATES: Final = (100, 1000, 10_000)
CALLER_SECONDS: Final = 5.0
REFUSED: Final = "UNKNOWN_EXCEPTION"
TOLERANCE: Final = 0.2
_MOST: Final = 5000
"""Requests that one connection can't make in the time of a run."""
_UTILISATION: Final = 0.5
_UNSERVED: Final = 0.001
_VERIFY_SECONDS: Final = 0.25
_SLOW: Final = 0.01
_RULE: Final = 3
"""Threads for each send a second and second of the provider, by deploy/README.md."""
_SEEDS: Final = range(3)


@dataclass(frozen=True, slots=True)
class Figures:
    """What a run shows; times are milliseconds."""

    rate: float
    p50: float
    p99: float
    refused: float


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("--store", choices=STORES, default="redis", help="the wallet's (redis)")
    parser.add_argument(
        "--seconds", type=float, help="of one measured run (30; with --quick 3)", metavar="S"
    )
    parser.add_argument(
        "--simulated",
        type=float,
        help="seconds that are simulated (40; with --quick 10)",
        metavar="S",
    )


def run(args: argparse.Namespace) -> Report:
    """Run the command."""
    seconds = args.seconds or (3 if args.quick else 30)
    with (
        tempfile.TemporaryDirectory(prefix="otp-mpp-bench-") as home,
        peers.opened(("lean",), args.store, Path(home)) as [peer],
    ):
        send, verify, constants = _costs(peer, Path(home), seconds)
        wallet = Wallet(PROCESSES, THREADS, cores(), send, verify, log_normal(1), timeout=60)
        compared = [
            (leg, _measured(peer, Path(home), leg, seconds), _simulated(wallet, leg, seconds))
            for leg in LEGS
        ]
    faults = [
        f"{connections} connections, provider {p95} s: {mine.rate:.0f} sends a second were "
        f"measured, {predicted.rate:.0f} predicted"
        for (connections, p95), mine, predicted in compared
        if abs(predicted.rate / mine.rate - 1) > TOLERANCE
    ]
    rows, hung, groups = predictions(wallet, args.simulated or (10 if args.quick else 40))
    note()
    tables = [constants, _comparison(compared, seconds), rows, hung]
    drawn = chart.bars("Threads for 100 sends and 100 verifies a second", "threads", groups)
    return Report("simulate", tables, {"threads.svg": drawn}, faults, SCALING)


def _costs(peer: peers.Peer, home: Path, seconds: float) -> tuple[Cost, Cost, Table]:
    """Measure a send and a verify of a right code, alone and without a provider."""
    url = peer.settings["BENCH_STORE"]
    found, rows = [], []
    with serving(peer.factory, peer.settings, home, workers=1, threads=THREADS) as server:
        for load, count in (("send", 200), ("send", _MOST), ("right", _MOST)):
            lines = [
                one.over_http() for one in requests(peer, LOADS[load], count, over_http(server))
            ]
            before = server.cpu_seconds()
            with spent_by(url) as spent:
                run = drive(server.ports, lines, 1, seconds)
            cpu = (server.cpu_seconds() - before) / run.sent
            if (codes := {Answer.parse(raw).code for raw in run.answers[: run.sent]}) != {
                "SUCCESS"
            }:
                raise RuntimeError(f"wrong answers: {codes}")
            found.append(Cost(cpu, max(0.0, run.seconds / run.sent - cpu)))
            database = "-" if spent.cpu is None else round(spent.cpu / run.sent * 1e6)
            log = "-" if spent.log is None else round(spent.log / run.sent)
            rows.append(
                (load, *(round(part * 1e6) for part in (cpu, found[-1].wait)), database, log)
            )
            note(f"alone, {load}: {run.sent / run.seconds:.0f}/s, {cpu * 1e6:.0f} us")
    kind = url.partition(":")[0].partition("+")[0]
    title = f"Lean wallet on {kind}, one request at a time, no provider"
    columns = ("request", "CPU us", "wait us", "database CPU us", "log bytes")
    return found[1], found[2], Table(title, columns, rows[1:])


def _measured(peer: peers.Peer, home: Path, leg: tuple[int, float], seconds: float) -> Figures:
    """Measure the wallet with its provider."""
    connections, p95 = leg
    settings = {**peer.settings, provider.P95: str(p95)}
    factory = "benchmarks.provider:create_app"
    with serving(factory, settings, home, workers=PROCESSES, threads=THREADS) as server:
        _sends(peer, server, 2 * connections, connections, 2)  # a warm-up
        # More than are sent, since few messages are delivered in a quarter of the p95.
        count = round(min(500.0, 4 * connections / p95) * seconds)
        figures = _sends(peer, server, count, connections, seconds)
    note(f"{connections} connections, provider {p95} s: {figures.rate:.0f}/s")
    return figures


def _sends(
    peer: peers.Peer, server: Server, count: int, connections: int, seconds: float
) -> Figures:
    signed = requests(peer, (RequestKind.SEND,), count, over_http(server))
    lines = [one.over_http() for one in signed]
    run = drive(server.ports, lines, connections, seconds)
    codes = [Answer.parse(raw).code for raw in run.answers if raw]
    done, refused = codes.count(EXPECTED[RequestKind.SEND]), codes.count(REFUSED)
    if done + refused < run.sent:
        raise RuntimeError(f"wrong answers: {set(codes)}, {run.sent - len(codes)} without any")
    return _figures(done, refused, run.times, run.seconds)


def _simulated(wallet: Wallet, leg: tuple[int, float], seconds: float) -> Figures:
    connections, p95 = leg
    runs = [
        closed(replace(wallet, provider=log_normal(p95)), connections, seconds, seed)
        for seed in _SEEDS
    ]
    found = [one for run in runs for one in run]
    refused = sum(one.ending is Ending.REFUSED for one in found)
    times = [one.seconds for one in found]
    took = sum(max(one.ended for one in run) for run in runs)
    return _figures(len(found) - refused, refused, times, took)


def _figures(done: int, refused: int, times: Sequence[float], seconds: float) -> Figures:
    return Figures(done / seconds, *_times(times), refused / (done + refused))


def _times(seconds: Sequence[float]) -> tuple[float, float]:
    """Return the median and the 99th percentile in milliseconds."""
    if len(seconds) < 2:
        return 0.0, 0.0
    return statistics.median(seconds) * 1e3, statistics.quantiles(seconds, n=100)[98] * 1e3


def _comparison(
    compared: Sequence[tuple[tuple[int, float], Figures, Figures]], seconds: float
) -> Table:
    columns = (
        "connections", "provider p95 s", "sends/s", "predicted", "error", "p50 ms", "predicted p50",
        "p99 ms", "predicted p99", "refused", "predicted refused",
    )  # fmt: skip
    rows = [
        (
            connections, p95, round(mine.rate), round(told.rate),
            f"{told.rate / mine.rate - 1:+.0%}",
            round(mine.p50), round(told.p50), round(mine.p99), round(told.p99),
            f"{mine.refused:.1%}", f"{told.refused:.1%}",
        )
        for (connections, p95), mine, told in compared
    ]  # fmt: skip
    title = (
        f"Measured and predicted: {PROCESSES} processes of {THREADS} threads, {seconds:g} s each"
    )
    return Table(title, columns, rows)


def predictions(
    base: Wallet, seconds: float, latencies: Sequence[float] = LATENCIES
) -> tuple[Table, Table, dict[str, dict[str, float]]]:
    """Return the threads that are needed, what happens to them while a provider hangs, a chart."""
    each = min(100.0, _UTILISATION / (base.send.cpu + base.verify.cpu))
    columns = (
        "provider p95 s", "threads a process",
        *(f"processes x threads at {rate:,}/s" for rate in RATES),
        "rule at 100/s", "send p50 ms", "send p99 ms", "verify p99 ms", "timed out",
    )  # fmt: skip
    hung_columns = (
        "threads a process", "tried sends/s", "refused after, p50 ms", "verify p99 ms",
        "verify later than 5 s",
    )  # fmt: skip
    rows, hung = [], []
    groups: dict[str, dict[str, float]] = {}
    for p95 in latencies:
        note(f"simulating a provider of {p95} s")
        wallet = replace(base, processes=1, cores=1, timeout=3.0, provider=log_normal(p95))
        threads, found = _fewest(wallet, each, seconds)
        sends, verifies = of_kind(found, sends=True), of_kind(found, sends=False)
        rule = round(_RULE * 100 * p95)
        rows.append((
            p95, threads, *(_total(rate, each, threads) for rate in RATES), rule,
            *map(round, _times([one.seconds for one in sends])),
            round(_times([one.seconds for one in verifies])[1]),
            f"{share(sends, lambda one: one.ending is Ending.TIMED_OUT):.1%}",
        ))  # fmt: skip
        hung.append((threads, *_while_it_hangs(replace(wallet, threads=threads), each, seconds)))
        groups[f"p95 {p95:g} s"] = {"simulated": ceil(100 / each) * threads, "rule": rule}
    title = f"Threads, at {each:.0f} sends and as many verifies a second in each process"
    hangs_title = "The same processes while the provider hangs, time-out 3 s"
    return Table(title, columns, rows), Table(hangs_title, hung_columns, hung), groups


def _total(rate: int, each: float, threads: int) -> str:
    return f"{ceil(rate / each)} x {threads}"


def _fewest(wallet: Wallet, rate: float, seconds: float) -> tuple[int, list[Request]]:
    """Return the fewest threads that serve, and what was simulated with them."""

    def simulated(threads: int) -> list[Request]:
        return opened(replace(wallet, threads=threads), rate, rate, seconds, seed=1)

    def serves(threads: int) -> bool:
        found = simulated(threads)
        slow = share(of_kind(found, sends=False), lambda one: one.seconds > _VERIFY_SECONDS)
        return share(of_kind(found, sends=True), _unserved) <= _UNSERVED and slow <= _SLOW

    high = 4
    while not serves(high):
        high *= 2
    low = high // 2
    while high - low > max(2, high // 16):
        middle = (low + high) // 4 * 2
        low, high = (low, middle) if serves(middle) else (middle, high)
    return high, simulated(high)


def _unserved(one: Request) -> bool:
    return one.ending is Ending.REFUSED or one.seconds > CALLER_SECONDS


def _while_it_hangs(wallet: Wallet, rate: float, seconds: float) -> Iterator[object]:
    """Simulate a provider that hangs from the middle on; yield what the second half shows."""
    provider = hangs_after(seconds / 2, wallet.provider)
    found = [
        one
        for one in opened(replace(wallet, provider=provider), rate, rate, seconds, seed=1)
        if one.arrived > seconds / 2
    ]
    sends, verifies = of_kind(found, sends=True), of_kind(found, sends=False)
    yield round(share(sends, lambda one: one.ending is Ending.TIMED_OUT) * rate)
    refused = [one.seconds for one in sends if one.ending is Ending.REFUSED]
    yield round(_times(refused)[0])
    yield round(_times([one.seconds for one in verifies])[1])
    yield f"{share(verifies, _unserved):.1%}"
