"""Processor time of one request, without a server and sockets: the app is called by WSGI.

One thread calls the peers in turn, in blocks. Waiting for a database costs no processor time, so
this is the cost of Python code, cryptography and drivers alone. "x floor" is the ratio to the
floor, "in signatures" the cost in units of one RSA-2048 signature.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from flask import Flask

from benchmarks import peers
from benchmarks.empty_stores import STORES, available
from benchmarks.measurement import requests
from benchmarks.options import repeatable
from benchmarks.report import FIGURES, Report, Table
from benchmarks.wire import EXPECTED, Answer, Request, RequestKind

BLOCK: Final = 50
KINDS: Final = (RequestKind.SEND, RequestKind.RIGHT, RequestKind.WRONG, RequestKind.FORGED)
COLUMNS: Final = ("store", "request", "peer", "CPU us", "x floor", "in signatures")


class PeerApp:
    """A peer's app in this process."""

    def __init__(self, peer: peers.Peer) -> None:
        module, _, factory = peer.factory.partition(":")
        self.peer = peer
        self.wsgi_app: Flask = getattr(import_module(module), factory)(peer.settings)

    def call(self, request: Request) -> Answer:
        """Call the app and read its answer."""
        return self.call_wsgi(request.over_wsgi())

    def call_wsgi(self, environ: dict[str, Any]) -> Answer:
        """Call the app as a WSGI server does, and read its answer."""
        head: dict[str, str] = {}

        def start(status: str, headers: list[tuple[str, str]], *_: object) -> Callable[..., Any]:
            head.update({name.lower(): value for name, value in headers})
            return lambda _: None

        return Answer(head, b"".join(self.wsgi_app(environ, start)))

    def prepared(self, kind: RequestKind, count: int) -> list[Request]:
        """Sign requests of a kind; first have the codes sent that they need."""
        return requests(self.peer, (kind,), count, lambda signed: [*map(self.call, signed)])

    def work(self, signed: Sequence[Request]) -> None:
        """Call the app with all requests.

        :raises RuntimeError: if an answer is not the expected one.
        """
        for request in signed:
            code = self.call(request).code
            if code != EXPECTED[request.unsigned.kind]:
                raise RuntimeError(f"{self.peer.name} answered {request.unsigned.kind} by {code!r}")


@contextmanager
def open_apps(names: Sequence[str], store: str) -> Iterator[list[PeerApp]]:
    """Open the apps of peers in this process."""
    with (
        tempfile.TemporaryDirectory(prefix="otp-mpp-bench-") as home,
        peers.opened(names, store, Path(home)) as opened,
    ):
        yield [PeerApp(peer) for peer in opened]


def cpu_us(app: PeerApp, kind: RequestKind, blocks: int) -> Iterator[float]:
    """Measure blocks of calls; yield the microseconds per call of each block."""
    for _ in range(blocks):
        signed = app.prepared(kind, BLOCK)
        begin = time.process_time_ns()
        app.work(signed)
        yield (time.process_time_ns() - begin) / BLOCK / 1000


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    repeatable(parser, "--only", peers.NAMES)
    repeatable(parser, "--store", ("memory", *STORES))
    parser.add_argument("--blocks", type=int, help=f"blocks of {BLOCK} calls (10; with --quick 4)")


def run(args: argparse.Namespace) -> Report:
    """Run the command."""
    names = args.only or ("wallet", "lean", "floor")
    blocks = args.blocks or (4 if args.quick else 10)
    rows: list[tuple[object, ...]] = []
    for store in args.store or available(("memory", *STORES)):
        rows += _measured(names, store, blocks)
    title = f"Median of {blocks} blocks of {BLOCK} calls in one thread"
    return Report("inprocess", [Table(title, COLUMNS, rows)], page=FIGURES)


def _measured(names: Sequence[str], store: str, blocks: int) -> Iterator[tuple[object, ...]]:
    with open_apps(names, store) as apps:
        for kind in KINDS:
            meters = {app.peer.name: cpu_us(app, kind, blocks + 1) for app in apps}
            for meter in meters.values():
                next(meter)  # the first block warms up
            rounds = list(zip(*meters.values(), strict=True))
            signature = apps[0].peer.caller.signature_us()
            costs = dict(
                zip(meters, map(statistics.median, zip(*rounds, strict=True)), strict=True)
            )
            floor = costs.get("floor")
            for name, cost in costs.items():
                ratio = cost / floor if floor else "-"
                yield store, kind.value, name, round(cost), ratio, cost / signature
