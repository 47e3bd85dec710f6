"""The instructions that one request executes in this process, counted by valgrind.

They do not depend on other work of the machine. The app is called by WSGI, in blocks; the block
with the fewest counts, since all that disturbs it only adds. "own code" is all but cryptography,
whose instructions depend on the processor: a send makes one RSA-2048 signature, and equal answers
of one second share one. "spread" is the difference of the blocks, as a share. The work of the
system, such as reading and writing files, and that of a database's server is not counted.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Final

from benchmarks import callgrind, chart, peers
from benchmarks.empty_stores import STORES, available
from benchmarks.options import repeatable
from benchmarks.report import Report, Table
from benchmarks.wire import RequestKind

KINDS: Final = (RequestKind.SEND, RequestKind.RIGHT, RequestKind.WRONG)
PEERS: Final = ("lean", "wallet", "floor")
COLUMNS: Final = (
    "store", "request", "peer", "together", "cryptography", "own code", "x floor", "spread",
)  # fmt: skip
_CRYPTOGRAPHY: Final = ("cryptography/hazmat/bindings/_rust", "/libcrypto", "/libssl")


@dataclass(frozen=True, slots=True)
class Leg:
    """The instructions of one request of a peer, by file of machine code, in each block."""

    store: str
    kind: RequestKind
    peer: str
    blocks: Sequence[Counter[str]]

    @property
    def least(self) -> Counter[str]:
        """The block with the fewest instructions outside of cryptography."""
        return min(self.blocks, key=_own)

    @property
    def own(self) -> int:
        """The instructions outside of cryptography."""
        return _own(self.least)

    @property
    def spread(self) -> float:
        """By which share the blocks differ."""
        found = [_own(block) for block in self.blocks]
        return max(found) / min(found) - 1


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    repeatable(parser, "--only", peers.NAMES)
    repeatable(parser, "--store", ("memory", *STORES))
    parser.add_argument("--size", type=int, help="calls in a block (20; with --quick 10)")
    parser.add_argument("--blocks", type=int, help="blocks of each kind (3)")
    parser.add_argument(
        "--objects", action="store_true", help="also show the files of machine code: Python, SQLite"
    )


def run(args: argparse.Namespace) -> Report:
    """Run the command."""
    size, blocks = args.size or (10 if args.quick else 20), args.blocks or 3
    stores = args.store or available(("memory", *STORES))
    legs = [leg for store in stores for leg in count(store, args.only or PEERS, size, blocks)]
    title = f"Instructions of one request, the lowest of {blocks} blocks of {size}"
    tables = [Table(title, COLUMNS, list(_rows(legs)))]
    if args.objects:
        rows = [
            (leg.store, leg.kind.value, leg.peer, Path(name).name, number)
            for leg in legs
            for name, number in leg.least.most_common(8)
        ]
        columns = ("store", "request", "peer", "file", "instructions")
        tables.append(Table("By file of machine code", columns, rows))
    return report(tables)


def report(tables: Sequence[Table]) -> Report:
    """Return the tables; a short one and a chart, without wrong codes, which cost as right ones."""
    found = tables[0].data()["rows"]
    rows = [[*row.values()] for row in found if row["request"] != RequestKind.WRONG.value]
    table = Table(tables[0].title, COLUMNS, rows)
    groups: dict[str, dict[str, float]] = {}
    for row in table.data()["rows"]:
        one = groups.setdefault(f"{row['store']}, {row['request']}", {})
        one[row["peer"]] = row["own code"] / 1000
    drawn = chart.bars(
        "Instructions of one request, without cryptography", "thousands (less is better)", groups
    )
    values, without = ("own code", "x floor"), ("floor, x floor",)
    short = table.across(("store", "request"), "peer", values, without)
    return Report("instructions", tables, {"instructions.svg": drawn}, summary=[short])


def count(store: str, names: Sequence[str], size: int, blocks: int) -> list[Leg]:
    """Count the instructions of peers on a store.

    :raises RuntimeError: if an answer is not the expected one, or valgrind is missing.
    """
    with (
        tempfile.TemporaryDirectory(prefix="otp-mpp-bench-") as home,
        peers.opened(names, store, Path(home)) as opened,
    ):
        job = {
            "peers": [
                (peer.name, peer.settings["BENCH_STORE"], peer.settings["BENCH_KEYS"])
                for peer in opened
            ],
            "kinds": KINDS,
            "size": size,
            "blocks": blocks,
            "folder": home,
        }
        marks = callgrind.counts("benchmarks.counted", [json.dumps(job)], Path(home))[1::2]
    counted: Iterator[Counter[str]] = (
        Counter({name: round(number / size) for name, number in block.items()}) for block in marks
    )
    legs = [
        Leg(store, kind, peer.name, [next(counted) for _ in range(blocks)])
        for peer, kind in product(opened, KINDS)
    ]
    return sorted(legs, key=lambda leg: KINDS.index(leg.kind))


def _rows(legs: Sequence[Leg]) -> Iterator[tuple[object, ...]]:
    floors = {(leg.store, leg.kind): leg.own for leg in legs if leg.peer == "floor"}
    for leg in legs:
        floor = floors.get((leg.store, leg.kind))
        yield (
            leg.store, leg.kind.value, leg.peer, leg.least.total(), leg.least.total() - leg.own,
            leg.own, leg.own / floor if floor else "-", f"{leg.spread:.1%}",
        )  # fmt: skip


def _own(block: Counter[str]) -> int:
    return sum(
        number for name, number in block.items() if not any(mark in name for mark in _CRYPTOGRAPHY)
    )
