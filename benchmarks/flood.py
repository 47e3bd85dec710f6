"""What a bad signature costs the server beside a good send: the price of being flooded.

The app is called directly, in one thread, in blocks taken in turn. The forged signature is well
formed and made over another body, so that it is found out as late as can be; the address limit,
which would end a real flood, is set too high to be met.
"""

from __future__ import annotations

import argparse
import statistics

from benchmarks.choices import several
from benchmarks.inprocess import BLOCK, cpu_us, seats
from benchmarks.places import STORES, there
from benchmarks.report import Report, Table
from benchmarks.wire import Act

COLUMNS = ("store", "peer", "good send, us", "bad signature, us", "bad / good", "in signatures")


def options(parser: argparse.ArgumentParser) -> None:
    """Declare what may be chosen."""
    several(parser, "--store", STORES)


def run(asked: argparse.Namespace) -> Report:
    """Measure what was asked for."""
    blocks = 4 if asked.quick else 20
    rows: list[tuple[object, ...]] = []
    for store in asked.store or there(STORES):
        with seats(("wallet", "lean", "floor"), store) as taken:
            for seat in taken:
                pair = zip(
                    cpu_us(seat, Act.SEND, blocks + 1),
                    cpu_us(seat, Act.FORGED, blocks + 1),
                    strict=True,
                )
                good, bad = map(statistics.median, zip(*list(pair)[1:], strict=True))
                unit = seat.peer.caller.signature_us()
                rows.append(
                    (store, seat.peer.name, round(good), round(bad), bad / good, bad / unit)
                )
    title = f"CPU of one request, median of {blocks} blocks of {BLOCK}"
    return Report("flood", [Table(title, COLUMNS, rows)])
