"""Web servers under load: throughput, latency, and processor time per request.

All peers run in the same kind of server, with a port of its own for each worker. In a round they
get their requests in turn (A B A B), for a second each, so that other work on the machine affects
all of them. "x floor" is the median of the ratios to the floor in the same round; the true median
is between "lowest" and "highest", with the probability that the title tells. The processor time is
that of a server's whole process tree, without the database. An unexpected answer, or a signature
that does not hold, makes the run fail.

Each verify needs a code that was sent before, without being measured. So a measurement of verifies
takes about three times as long as it counts, and only send and right are measured if not asked.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from typing import Final

from benchmarks import peers
from benchmarks.comparison import Cell, Comparison
from benchmarks.empty_stores import STORES, available
from benchmarks.measurement import LOADS, Prepared, measure
from benchmarks.options import repeatable
from benchmarks.processes import SERVERS, Server, serving
from benchmarks.progress import note
from benchmarks.report import Report

CONNECTIONS: Final = 16
USUAL: Final = ("lean", "floor")
"""The peers, if none is chosen."""
ROUNDS, QUICK_ROUNDS = 5, 3
SECONDS, QUICK_SECONDS = 4.0, 1.5
WARM: Final = 200
"""Requests of each load before the first measurement."""
_MORE: Final = 1.2
"""How many more requests are made than a measurement is expected to need."""


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--full", action="store_true", help="every peer, server, load and number of connections"
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
        help=f"connections, such as 1, 16 or 64 ({CONNECTIONS}); repeatable",
    )
    parser.add_argument(
        "--rounds", type=int, help=f"rounds ({ROUNDS}; with --quick {QUICK_ROUNDS})"
    )
    parser.add_argument(
        "--seconds",
        type=float,
        help=f"of one measurement ({SECONDS:g}; with --quick {QUICK_SECONDS:g})",
    )


def run(args: argparse.Namespace) -> Report:
    """Run the command."""
    compared = Comparison(
        args.seconds or (QUICK_SECONDS if args.quick else SECONDS),
        args.rounds or (QUICK_ROUNDS if args.quick else ROUNDS),
    )
    names = args.only or (peers.NAMES if args.full else USUAL)
    cells = _cells(args)
    with tempfile.TemporaryDirectory(prefix="otp-mpp-bench-") as home:
        for store in dict.fromkeys(cell.store for cell in cells):
            with peers.opened(names, store, Path(home)) as opened:
                for server in dict.fromkeys(cell.server for cell in cells):
                    here = [cell for cell in cells if (cell.store, cell.server) == (store, server)]
                    _serve(compared, here, opened, Path(home))
    note()
    return compared.report()


def _cells(args: argparse.Namespace) -> list[Cell]:
    """Return the combinations that are measured."""
    stores = args.store or available(STORES)[: 2 if args.quick else None]
    servers = args.server or (tuple(SERVERS) if args.full else ("gunicorn",))
    loads = args.load or (("send", "right", "wrong", "mix") if args.full else ("send", "right"))
    connections = args.connections or ((1, CONNECTIONS, 64) if args.full else (CONNECTIONS,))
    return [Cell(*one) for one in product(stores, servers, loads, connections)]


def _serve(
    compared: Comparison, cells: Sequence[Cell], opened: Sequence[peers.Peer], home: Path
) -> None:
    """Start a server for each peer, warm it up, and measure the peers in turn."""
    with ExitStack() as stack:
        served: list[tuple[peers.Peer, Server]] = []
        rates: dict[tuple[Cell, str], float] = {}
        for peer in opened:
            server = stack.enter_context(
                serving(peer.factory, peer.settings, home, server=cells[0].server)
            )
            served.append((peer, server))
            for cell in cells:
                [first] = measure([_prepared(peer, server, cell, WARM)], 10)
                rates[cell, peer.name] = first.rate
        for number, cell in product(range(compared.rounds), cells):
            prepared = []
            for peer, server in served:
                expected = rates[cell, peer.name] * compared.seconds * _MORE
                count = max(cell.connections, WARM, round(expected))
                prepared.append(_prepared(peer, server, cell, count))
            for (peer, _), one in zip(served, measure(prepared, compared.seconds), strict=True):
                rates[cell, peer.name] = one.rate
                compared.add(cell, peer.name, one)
                note(
                    f"round {number + 1} of {compared.rounds}, {cell}, {peer.name}: "
                    f"{one.rate:.0f}/s, {one.cpu:.0f} us"
                )


def _prepared(peer: peers.Peer, server: Server, cell: Cell, count: int) -> Prepared:
    return Prepared(peer, server, LOADS[cell.load], connections=cell.connections, count=count)
