"""Processor time of one request without server and socket: the app is called as WSGI has it.

One thread, blocks of calls taken in turn between the package and the floor; whatever waits for a
database costs nothing here, so this is the price of the Python code, crypto and drivers alone.
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
from benchmarks.choices import several
from benchmarks.legs import requests
from benchmarks.places import STORES, there
from benchmarks.report import Report, Table
from benchmarks.wire import EXPECTED, Act, Answer, Request

BLOCK: Final = 50
ACTS: Final = (Act.SEND, Act.RIGHT, Act.WRONG, Act.FORGED)
COLUMNS: Final = ("store", "act", "peer", "CPU us", "x floor", "in signatures")


class Seat:
    """Be a peer's app in this process, ready to be called."""

    def __init__(self, peer: peers.Peer) -> None:
        module, _, factory = peer.factory.partition(":")
        self.peer = peer
        self.app: Flask = getattr(import_module(module), factory)(peer.settings)

    def call(self, request: Request) -> Answer:
        """Call the app and read its answer."""
        environ, head = request.over_wsgi(), {}

        def start(status: str, headers: list[tuple[str, str]], *_: object) -> Callable[..., Any]:
            head.update({name.lower(): value for name, value in headers})
            return lambda _: None

        return Answer(head, b"".join(self.app(environ, start)))

    def prepared(self, act: Act, count: int) -> list[Request]:
        """Sign requests; codes that they need are sent by calls as well."""
        return requests(self.peer, (act,), count, lambda asked: [*map(self.call, asked)])

    def work(self, asked: Sequence[Request]) -> None:
        """Answer all; each answer must be the expected one.

        :raises RuntimeError: if one is not.
        """
        for request in asked:
            code = self.call(request).code
            if code != EXPECTED[request.ask.act]:
                raise RuntimeError(f"{self.peer.name} answered {request.ask.act} by {code!r}")


@contextmanager
def seats(names: Sequence[str], store: str) -> Iterator[list[Seat]]:
    """Open peers in this process."""
    with (
        tempfile.TemporaryDirectory(prefix="otp-mpp-bench-") as home,
        peers.opened(names, store, Path(home)) as opened,
    ):
        yield [Seat(peer) for peer in opened]


def cpu_us(seat: Seat, act: Act, blocks: int) -> Iterator[float]:
    """Measure one block of calls after another, in microseconds a call."""
    for _ in range(blocks):
        asked = seat.prepared(act, BLOCK)
        begin = time.process_time_ns()
        seat.work(asked)
        yield (time.process_time_ns() - begin) / BLOCK / 1000


def options(parser: argparse.ArgumentParser) -> None:
    """Declare what may be chosen."""
    several(parser, "--only", peers.NAMES)
    several(parser, "--store", ("memory", *STORES))
    parser.add_argument("--blocks", type=int, help=f"of {BLOCK} calls: 10; 4 if quick")


def run(asked: argparse.Namespace) -> Report:
    """Measure what was asked for."""
    names = asked.only or ("wallet", "lean", "floor", "floor-full")
    blocks = asked.blocks or (4 if asked.quick else 10)
    rows: list[tuple[object, ...]] = []
    for store in asked.store or there(("memory", *STORES)):
        rows += _measured(names, store, blocks)
    title = f"Median of {blocks} blocks of {BLOCK} calls in one thread"
    return Report("inprocess", [Table(title, COLUMNS, rows)])


def _measured(names: Sequence[str], store: str, blocks: int) -> Iterator[tuple[object, ...]]:
    with seats(names, store) as taken:
        for act in ACTS:
            meters = {seat.peer.name: cpu_us(seat, act, blocks + 1) for seat in taken}
            for meter in meters.values():
                next(meter)  # the first block warms up
            rounds = list(zip(*meters.values(), strict=True))
            signature = taken[0].peer.caller.signature_us()
            costs = dict(
                zip(meters, map(statistics.median, zip(*rounds, strict=True)), strict=True)
            )
            floor = costs.get("floor")
            for name, cost in costs.items():
                ratio = cost / floor if floor else "-"
                yield store, act.value, name, round(cost), ratio, cost / signature
