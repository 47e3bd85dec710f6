"""Servers under load, interleaved: throughput, latency, and the processor time of a request.

Every peer is served by the same server with as many workers, and they are asked in turn, round
after round, so that whatever else the machine does meets all; the median of the rounds is told.
The processor time counts a server's whole process tree (not the database's) and is the figure to
trust on a machine that is not quiet. Ratios are to the floor in the same round; "signatures" are
RSA-2048 signatures as timed beside each leg. An answer other than the expected one is no answer,
and fails the run.
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
from benchmarks.choices import several
from benchmarks.legs import LOADS, Leg, leg
from benchmarks.places import STORES, there
from benchmarks.processes import SERVERS, WORKERS, Server, free_port, serving
from benchmarks.progress import note
from benchmarks.report import Report, Table
from benchmarks.wire import Act

USUAL_LOADS: Final = ("send", "right", "wrong", "mix")
USUAL_CONNECTIONS: Final = 16
COLUMNS: Final = (
    "store", "server", "load", "conns", "peer", "req/s", "x floor", "p50 ms", "p99 ms",
    "CPU us", "CPU x floor", "in signatures", "answers", "wrong", "signatures held",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cell:
    """Be one row of circumstances that all peers meet."""

    store: str
    server: str
    load: str
    connections: int


@dataclass(slots=True)
class Run:
    """Hold what was measured so far."""

    seconds: float
    rounds: int
    total: int = 0
    done: int = 0
    legs: dict[tuple[Cell, str], list[Leg]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


def options(parser: argparse.ArgumentParser) -> None:
    """Declare what may be chosen."""
    parser.add_argument("--full", action="store_true", help="every peer in every circumstance")
    several(parser, "--only", peers.NAMES)
    several(parser, "--store", STORES)
    several(parser, "--server", SERVERS)
    several(parser, "--load", LOADS)
    parser.add_argument(
        "--connections", type=int, action="append", metavar="N", help="1, 16, 64; repeatable"
    )
    parser.add_argument("--rounds", type=int, help="3; 1 if quick")
    parser.add_argument("--seconds", type=float, help="of one leg: 0.5; 0.4 if quick; 2 if full")


def run(asked: argparse.Namespace) -> Report:
    """Measure what was asked for."""
    run = Run(
        asked.seconds or (0.4 if asked.quick else 2.0 if asked.full else 0.5),
        asked.rounds or (1 if asked.quick else 3),
    )
    few = [name for name in peers.NAMES if not name.startswith("naive")]
    names = asked.only or (few if asked.quick else peers.NAMES)
    cells = _cells(asked, asked.store or there(STORES))
    run.total = run.rounds * sum(len(_present(asked, cell, names)) for cell in cells)
    with tempfile.TemporaryDirectory(prefix="otp-mpp-bench-") as home:
        for store in dict.fromkeys(cell.store for cell in cells):
            with peers.opened(names, store, Path(home)) as opened:
                for server in dict.fromkeys(cell.server for cell in cells):
                    here = [cell for cell in cells if (cell.store, cell.server) == (store, server)]
                    _serve(run, asked, here, opened, Path(home))
    note()
    table = Table(
        f"{WORKERS} workers; median of {run.rounds} rounds of {run.seconds:g} s",
        COLUMNS,
        _rows(run),
    )
    return Report("load", [table], {"load.svg": _chart(run)}, run.faults)


def _cells(asked: argparse.Namespace, stores: Sequence[str]) -> list[Cell]:
    """List the circumstances; not in full, few and many connections meet one server and the mix."""
    servers = asked.server or (("gunicorn",) if asked.quick else tuple(SERVERS))
    chosen = asked.connections or ((1, 16, 64) if asked.full else None)
    cells: list[Cell] = []
    for store, server, load in product(stores, servers, asked.load or USUAL_LOADS):
        usual = (load, server) == ("mix", "gunicorn") and not asked.quick
        spread = (1, USUAL_CONNECTIONS, 64) if usual else None
        many = chosen or spread or (USUAL_CONNECTIONS,)
        cells += [Cell(store, server, load, connections) for connections in many]
    return cells


def _present(asked: argparse.Namespace, cell: Cell, names: Sequence[str]) -> list[str]:
    """List who is measured in a cell: the slowest peer once is enough, if it was not asked for."""
    sql = cell.store != "redis"
    usual = (cell.store, cell.server, cell.connections) == ("sqlite", "gunicorn", USUAL_CONNECTIONS)
    return [
        name
        for name in names
        if (sql or not name.startswith("naive"))
        and (name != "naive-sdk" or usual or asked.full or asked.only)
    ]


def _serve(
    run: Run,
    asked: argparse.Namespace,
    cells: Sequence[Cell],
    opened: Sequence[peers.Peer],
    home: Path,
) -> None:
    """Start a server for each peer, warm it up, and let them take turns."""
    with ExitStack() as stack:
        served: dict[str, tuple[peers.Peer, Server]] = {}
        rates: dict[str, float] = {}
        for peer in opened:
            if not any(peer.name in _present(asked, cell, [peer.name]) for cell in cells):
                continue
            port = free_port()
            command = SERVERS[cells[0].server](peer.factory, port, WORKERS)
            log = home / f"{peer.name}-{port}.log"
            server = stack.enter_context(serving(command, port, peer.settings, log))
            served[peer.name] = (peer, server)
            for _ in range(2):
                both = (Act.SEND, Act.RIGHT)
                warm = leg(peer, server, both, connections=USUAL_CONNECTIONS, count=100, seconds=5)
                rates[peer.name] = max(20.0, warm.rate)
        for _, cell in product(range(run.rounds), cells):
            for name in _present(asked, cell, list(served)):
                count = max(cell.connections, int(rates[name] * run.seconds * 1.3))
                peer, server = served[name]
                one = leg(
                    peer,
                    server,
                    LOADS[cell.load],
                    connections=cell.connections,
                    count=count,
                    seconds=run.seconds,
                )
                rates[name] = max(20.0, one.rate) if cell.connections > 1 else rates[name]
                run.legs.setdefault((cell, name), []).append(one)
                _note(run, cell, name, one)


def _note(run: Run, cell: Cell, name: str, one: Leg) -> None:
    """Show where the run is, and keep in mind what went wrong."""
    run.done += 1
    where = f"{cell.store} {cell.server} {cell.load} {cell.connections} {name}"
    if one.wrong:
        run.faults.append(f"{where}: wrong answers {dict(one.wrong)}")
    if one.forged or not one.sampled:
        run.faults.append(f"{where}: {one.sampled - one.forged} of {one.sampled} signatures hold")
    told = f"[{run.done}/{run.total}] {where}: {one.rate:.0f}/s, {one.cpu:.0f} us"
    note(told)


def _rows(run: Run) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for (cell, name), legs in run.legs.items():
        floor = run.legs.get((cell, "floor"))
        wrong: Counter[str] = sum((one.wrong for one in legs), Counter())
        sampled = sum(one.sampled for one in legs)
        rows.append(
            (
                cell.store, cell.server, cell.load, cell.connections, name,
                round(statistics.median(one.rate for one in legs)),
                _ratio([one.rate for one in legs], [one.rate for one in floor or ()]),
                statistics.median(one.p50 for one in legs),
                statistics.median(one.p99 for one in legs),
                round(statistics.median(one.cpu for one in legs)),
                _ratio([one.cpu for one in legs], [one.cpu for one in floor or ()]),
                statistics.median(one.cpu / one.signature for one in legs),
                sum(one.answers for one in legs),
                sum(wrong.values()),
                f"{sampled - sum(one.forged for one in legs)}/{sampled}",
            )
        )  # fmt: skip
    return rows


def _ratio(mine: Sequence[float], floor: Sequence[float]) -> float | str:
    if not floor or not all(floor):
        return "-"
    return statistics.median(one / other for one, other in zip(mine, floor, strict=True))


def _chart(run: Run) -> str:
    """Draw the processor time by store and load, at the server and connections first measured."""
    groups: dict[str, dict[str, float]] = {}
    shown: dict[tuple[str, str], Cell] = {}
    for (cell, name), legs in run.legs.items():
        if shown.setdefault((cell.store, cell.load), cell) == cell:
            cost = statistics.median(one.cpu / one.signature for one in legs)
            groups.setdefault(f"{cell.store}, {cell.load}", {})[name] = cost
    unit = "server CPU of one request, in RSA-2048 signatures (less is better)"
    return chart.bars("What one request costs the server", unit, groups)
