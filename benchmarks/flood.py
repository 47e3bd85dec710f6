"""What a request with a bad signature costs the server, compared with a good send.

It tells how much processor time a flood of such requests takes. The app is called directly, in one
thread, in alternating blocks. The bad signature is well formed and made for another body, so that
it is found as late as possible; the address limit, which would end a real flood, is set too high to
be reached.
"""

from __future__ import annotations

import argparse
import statistics

from benchmarks.empty_stores import STORES, available
from benchmarks.inprocess import BLOCK, cpu_us, open_apps
from benchmarks.options import repeatable
from benchmarks.report import Report, Table
from benchmarks.wire import RequestKind

COLUMNS = ("store", "peer", "good send, us", "bad signature, us", "bad / good", "in signatures")


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    repeatable(parser, "--store", STORES)


def run(args: argparse.Namespace) -> Report:
    """Run the command."""
    blocks = 4 if args.quick else 20
    rows: list[tuple[object, ...]] = []
    for store in args.store or available(STORES):
        with open_apps(("wallet", "lean", "floor"), store) as apps:
            for app in apps:
                pair = zip(
                    cpu_us(app, RequestKind.SEND, blocks + 1),
                    cpu_us(app, RequestKind.FORGED, blocks + 1),
                    strict=True,
                )
                good, bad = map(statistics.median, zip(*list(pair)[1:], strict=True))
                unit = app.peer.caller.signature_us()
                rows.append((store, app.peer.name, round(good), round(bad), bad / good, bad / unit))
    title = f"CPU of one request, median of {blocks} blocks of {BLOCK}"
    return Report("flood", [Table(title, COLUMNS, rows)])
