"""What a worker holds in memory: over the floor's, and after many requests over what it began with.

One gunicorn worker each, on SQLite, sends and verifies; resident memory after the warm-up, half-way
and at the end. What grows for as long as it runs would be seen in the wallet, which gets all of the
requests; the others get a tenth of them.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Final

from benchmarks import peers
from benchmarks.legs import leg
from benchmarks.processes import free_port, gunicorn, serving
from benchmarks.progress import note
from benchmarks.report import Report, Table
from benchmarks.wire import Act

WARM: Final = 600
PARTS: Final = 10
COLUMNS = ("peer", "requests", "warm, MiB", "over the floor, MiB", "half, MiB", "end, MiB")


def options(parser: argparse.ArgumentParser) -> None:
    """Declare what may be chosen."""
    parser.add_argument("--requests", type=int, help="100000; 2000 if quick")


def run(asked: argparse.Namespace) -> Report:
    """Measure what was asked for."""
    wanted = asked.requests or (2000 if asked.quick else 100_000)
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
    return Report("memory", [Table("Resident memory of one worker", COLUMNS, rows)], faults=faults)


def _watched(peer: peers.Peer, wanted: int, home: Path, faults: list[str]) -> list[float]:
    """Ask one worker for so much, and read its memory on the way."""
    port, acts = free_port(), (Act.SEND, Act.RIGHT)
    command = gunicorn(peer.factory, port, 1)
    with serving(command, port, peer.settings, home / f"{peer.name}.log") as server:
        held = []
        for part in range(PARTS + 1):
            # A verify needs a send before it, which counts as well: 3 requests for 2 asked.
            count = max(2, (wanted // PARTS if part else min(WARM, wanted)) * 2 // 3)
            one = leg(peer, server, acts, connections=8, count=count, seconds=600)
            if one.wrong:
                faults.append(f"{peer.name}: wrong answers {dict(one.wrong)}")
            held.append(server.memory_mib())
            note(f"{peer.name} {part}/{PARTS}: {held[-1]:.1f} MiB")
    return held
