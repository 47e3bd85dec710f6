"""The memory of a worker, compared with the floor's, and its growth over many requests.

Each peer has one gunicorn worker on SQLite, which sends and verifies. Its resident memory is read
after the warm-up, in the middle and at the end. The wallet gets all requests, so a memory leak
would be seen there; the others get a tenth of them.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks import chart, peers
from benchmarks.measurement import Prepared, measure
from benchmarks.processes import serving
from benchmarks.progress import note
from benchmarks.report import Report, Table
from benchmarks.wire import RequestKind

WARM: Final = 600
PARTS: Final = 10
AT_ONCE: Final = 10_000
"""Requests that are signed before the first of them is sent; one that waits for 5 min is stale."""
COLUMNS = ("peer", "requests", "warm, MiB", "over the floor, MiB", "half, MiB", "end, MiB")


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--requests", type=int, help="how many requests (100000; with --quick 2000); try 1000000"
    )


def run(args: argparse.Namespace) -> Report:
    """Run the command."""
    wanted = args.requests or (2000 if args.quick else 100_000)
    held: dict[str, tuple[int, list[float]]] = {}
    faults: list[str] = []
    with (
        tempfile.TemporaryDirectory(prefix="otp-mpp-bench-") as home,
        peers.opened(("floor", "lean", "wallet"), "sqlite", Path(home)) as opened,
    ):
        for peer in opened:
            count = wanted if peer.name == "wallet" else wanted // 10
            held[peer.name] = count, _watched(peer, count, Path(home), faults)
    note()
    floor = held["floor"][1][0]
    rows = [
        (name, count, mib[0], mib[0] - floor, mib[PARTS // 2], mib[-1])
        for name, (count, mib) in held.items()
    ]
    return report(Table("Resident memory of one worker", COLUMNS, rows), faults)


def report(table: Table, faults: Sequence[str]) -> Report:
    """Return the table, and a chart of the growth."""
    groups = {
        f"{row['peer']}, {row['requests']:,} requests": {
            moment: row[f"{moment}, MiB"] for moment in ("warm", "half", "end")
        }
        for row in table.data()["rows"]
    }
    drawn = chart.bars("Memory of a worker, warm, and after half and all requests", "MiB", groups)
    return Report("memory", [table], {"memory.svg": drawn}, faults)


def _watched(peer: peers.Peer, wanted: int, home: Path, faults: list[str]) -> list[float]:
    """Send requests to one worker; return its memory after each part of them."""
    kinds = (RequestKind.SEND, RequestKind.RIGHT)
    with serving(peer.factory, peer.settings, home, workers=1) as server:
        held = []
        for part in range(PARTS + 1):
            # A verify needs a send before it, which counts as well: 3 requests for each 2.
            count = max(2, (wanted // PARTS if part else min(WARM, wanted)) * 2 // 3)
            for done in range(0, count, AT_ONCE):
                some = min(AT_ONCE, count - done)
                [one] = measure([Prepared(peer, server, kinds, connections=8, count=some)], 600)
                if one.wrong:
                    faults.append(f"{peer.name}: wrong answers {dict(one.wrong)}")
            held.append(server.memory_mib())
            note(f"{peer.name} {part}/{PARTS}: {held[-1]:.1f} MiB")
    return held
