"""Web servers under load: throughput, latency, and processor time per request.

All peers run in the same kind of server with the same number of workers. They are measured in turn,
round after round, so that other work on the machine affects all of them; the table holds the median
of the rounds. The processor time is that of a server's whole process tree, without the database; it
is the most reliable figure on a busy machine. "x floor" is the ratio to the floor in the same
round; "in signatures" is in units of one RSA-2048 signature, timed with each measurement. An
unexpected answer does not count, and makes the run fail.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Final

from benchmarks import chart, peers
from benchmarks.empty_stores import STORES, available
from benchmarks.measurement import LOADS, Measurement, measure
from benchmarks.options import repeatable
from benchmarks.processes import SERVERS, WORKERS, Server, free_port, serving
from benchmarks.progress import note
from benchmarks.report import Report, Table
from benchmarks.wire import RequestKind

USUAL_LOADS: Final = ("send", "right", "wrong", "mix")
USUAL_CONNECTIONS: Final = 16
COLUMNS: Final = (
    "store", "server", "load", "conns", "peer", "req/s", "x floor", "p50 ms", "p99 ms",
    "CPU us", "CPU x floor", "in signatures", "answers", "wrong", "signatures held",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cell:
    """One combination of store, server, load and connections, in which all peers are measured."""

    store: str
    server: str
    load: str
    connections: int


@dataclass(slots=True)
class Run:
    """What has been measured so far."""

    seconds: float
    rounds: int
    total: int = 0
    done: int = 0
    measurements: dict[tuple[Cell, str], list[Measurement]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--full", action="store_true", help="measure every peer in every combination"
    )
    repeatable(parser, "--only", peers.NAMES)
    repeatable(parser, "--store", STORES)
    repeatable(parser, "--server", SERVERS)
    repeatable(parser, "--load", LOADS)
    parser.add_argument(
        "--connections",
        type=int,
        action="append",
        metavar="N",
        help="connections, such as 1, 16 or 64; repeatable",
    )
    parser.add_argument("--rounds", type=int, help="rounds (3; with --quick 1)")
    parser.add_argument(
        "--seconds", type=float, help="of one measurement (0.5; with --quick 0.4, with --full 2)"
    )


def run(args: argparse.Namespace) -> Report:
    """Run the command."""
    run = Run(
        args.seconds or (0.4 if args.quick else 2.0 if args.full else 0.5),
        args.rounds or (1 if args.quick else 3),
    )
    few = [name for name in peers.NAMES if not name.startswith("naive")]
    names = args.only or (few if args.quick else peers.NAMES)
    cells = _cells(args, args.store or available(STORES))
    run.total = run.rounds * sum(len(_present(args, cell, names)) for cell in cells)
    with tempfile.TemporaryDirectory(prefix="otp-mpp-bench-") as home:
        for store in dict.fromkeys(cell.store for cell in cells):
            with peers.opened(names, store, Path(home)) as opened:
                for server in dict.fromkeys(cell.server for cell in cells):
                    here = [cell for cell in cells if (cell.store, cell.server) == (store, server)]
                    _serve(run, args, here, opened, Path(home))
    note()
    table = Table(
        f"{WORKERS} workers; median of {run.rounds} rounds of {run.seconds:g} s",
        COLUMNS,
        _rows(run),
    )
    return Report("load", [table], {"load.svg": _chart(run)}, run.faults)


def _cells(args: argparse.Namespace, stores: Sequence[str]) -> list[Cell]:
    """Return the combinations; without --full, 1 and 64 connections only for gunicorn and mix."""
    servers = args.server or (("gunicorn",) if args.quick else tuple(SERVERS))
    chosen = args.connections or ((1, 16, 64) if args.full else None)
    cells: list[Cell] = []
    for store, server, load in product(stores, servers, args.load or USUAL_LOADS):
        usual = (load, server) == ("mix", "gunicorn") and not args.quick
        spread = (1, USUAL_CONNECTIONS, 64) if usual else None
        many = chosen or spread or (USUAL_CONNECTIONS,)
        cells += [Cell(store, server, load, connections) for connections in many]
    return cells


def _present(args: argparse.Namespace, cell: Cell, names: Sequence[str]) -> list[str]:
    """Return the peers of a cell; the slowest one, if not chosen by --only, is in one cell only."""
    sql = cell.store != "redis"
    usual = (cell.store, cell.server, cell.connections) == ("sqlite", "gunicorn", USUAL_CONNECTIONS)
    return [
        name
        for name in names
        if (sql or not name.startswith("naive"))
        and (name != "naive-sdk" or usual or args.full or args.only)
    ]


def _serve(
    run: Run,
    args: argparse.Namespace,
    cells: Sequence[Cell],
    opened: Sequence[peers.Peer],
    home: Path,
) -> None:
    """Start a server for each peer, warm it up, and measure the peers in turn."""
    with ExitStack() as stack:
        served: dict[str, tuple[peers.Peer, Server]] = {}
        rates: dict[str, float] = {}
        for peer in opened:
            if not any(peer.name in _present(args, cell, [peer.name]) for cell in cells):
                continue
            port = free_port()
            command = SERVERS[cells[0].server](peer.factory, port, WORKERS)
            log = home / f"{peer.name}-{port}.log"
            server = stack.enter_context(serving(command, port, peer.settings, log))
            served[peer.name] = (peer, server)
            for _ in range(2):
                both = (RequestKind.SEND, RequestKind.RIGHT)
                warm = measure(
                    peer, server, both, connections=USUAL_CONNECTIONS, count=100, seconds=5
                )
                rates[peer.name] = max(20.0, warm.rate)
        for _, cell in product(range(run.rounds), cells):
            for name in _present(args, cell, list(served)):
                count = max(cell.connections, int(rates[name] * run.seconds * 1.3))
                peer, server = served[name]
                one = measure(
                    peer,
                    server,
                    LOADS[cell.load],
                    connections=cell.connections,
                    count=count,
                    seconds=run.seconds,
                )
                rates[name] = max(20.0, one.rate) if cell.connections > 1 else rates[name]
                run.measurements.setdefault((cell, name), []).append(one)
                _note(run, cell, name, one)


def _note(run: Run, cell: Cell, name: str, one: Measurement) -> None:
    """Show the progress, and record what was wrong."""
    run.done += 1
    where = f"{cell.store} {cell.server} {cell.load} {cell.connections} {name}"
    if one.wrong:
        run.faults.append(f"{where}: wrong answers {dict(one.wrong)}")
    if one.forged or not one.sampled:
        run.faults.append(
            f"{where}: {one.sampled - one.forged} of {one.sampled} signatures are valid"
        )
    text = f"[{run.done}/{run.total}] {where}: {one.rate:.0f}/s, {one.cpu:.0f} us"
    note(text)


def _rows(run: Run) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for (cell, name), measurements in run.measurements.items():
        floor = run.measurements.get((cell, "floor"))
        wrong: Counter[str] = sum((one.wrong for one in measurements), Counter())
        sampled = sum(one.sampled for one in measurements)
        rows.append(
            (
                cell.store, cell.server, cell.load, cell.connections, name,
                round(statistics.median(one.rate for one in measurements)),
                _ratio([one.rate for one in measurements], [one.rate for one in floor or ()]),
                statistics.median(one.p50 for one in measurements),
                statistics.median(one.p99 for one in measurements),
                round(statistics.median(one.cpu for one in measurements)),
                _ratio([one.cpu for one in measurements], [one.cpu for one in floor or ()]),
                statistics.median(one.cpu / one.signature for one in measurements),
                sum(one.answers for one in measurements),
                sum(wrong.values()),
                f"{sampled - sum(one.forged for one in measurements)}/{sampled}",
            )
        )  # fmt: skip
    return rows


def _ratio(mine: Sequence[float], floor: Sequence[float]) -> float | str:
    if not floor or not all(floor):
        return "-"
    return statistics.median(one / other for one, other in zip(mine, floor, strict=True))


def _chart(run: Run) -> str:
    """Draw processor time by store and load, for the server and connections measured first."""
    groups: dict[str, dict[str, float]] = {}
    shown: dict[tuple[str, str], Cell] = {}
    for (cell, name), measurements in run.measurements.items():
        if shown.setdefault((cell.store, cell.load), cell) == cell:
            cost = statistics.median(one.cpu / one.signature for one in measurements)
            groups.setdefault(f"{cell.store}, {cell.load}", {})[name] = cost
    unit = "server CPU of one request, in RSA-2048 signatures (less is better)"
    return chart.bars("What one request costs the server", unit, groups)
