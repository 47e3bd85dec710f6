"""What metrics and spans add to a request: the same app is called with and without them, in turns.

One thread calls ``lean`` by WSGI, in blocks of 50; each block with metrics follows one without.
"ratio" is the median, over all pairs, of the processor time with over that without. The kinds:
``metrics`` in one process, ``shared`` in files as gunicorn's workers do, ``spans`` with the SDK of
OpenTelemetry, and no exporter. "an event, us" is what counting one event takes, called by itself
2000 times: it is steadier than a difference of two requests.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Final

from flask import Flask
from opentelemetry.sdk.trace import TracerProvider
from prometheus_client import CollectorRegistry

from benchmarks.empty_stores import STORES, available
from benchmarks.inprocess import BLOCK, PeerApp, cpu_us, open_apps
from benchmarks.options import repeatable
from benchmarks.report import FIGURES, Report, Table
from benchmarks.wire import RequestKind
from flask_otp_mpp import Event, init_metrics, init_tracing
from flask_otp_mpp.web.events import SINKS, add_sink

KINDS: Final = ("metrics", "shared", "spans")
COLUMNS: Final = (
    *("store", "kind", "request", "without, us", "with, us", "ratio", "an event, us"),
)
_SHARE: Final = "PROMETHEUS_MULTIPROC_DIR"


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    repeatable(parser, "--store", ("memory", *STORES))
    repeatable(parser, "--kind", KINDS)
    parser.add_argument("--pairs", type=int, help="pairs of blocks (20; with --quick 6)")


def run(args: argparse.Namespace) -> Report:
    """Run the command."""
    pairs = args.pairs or (6 if args.quick else 20)
    rows: list[tuple[object, ...]] = []
    for store in args.store or available(("memory", "postgresql")):
        for kind in args.kind or KINDS:
            if kind == "shared" and _SHARE not in os.environ:
                rows += _in_files(store, pairs)
            else:
                rows += _measured(store, kind, pairs)
    title = f"Median of {pairs} pairs of blocks of {BLOCK} calls in one thread"
    return Report("metrics", [Table(title, COLUMNS, rows)], page=FIGURES)


def _measured(store: str, kind: str, pairs: int) -> Iterator[tuple[object, ...]]:
    with open_apps(("lean",), store) as [app]:
        switch = _switch(app.wsgi_app, kind)
        for request in (RequestKind.SEND, RequestKind.RIGHT):
            found = list(_pairs(app, request, pairs, switch))
            without, with_ = (statistics.median(one) for one in zip(*found, strict=True))
            ratio = f"{statistics.median(b / a for a, b in found):.3f}"
            switch(True)  # noqa: FBT003 - as the type says
            event = _of_event(app.wsgi_app) if kind != "spans" else "-"
            yield store, kind, request.value, without, with_, ratio, event


def _pairs(
    app: PeerApp, request: RequestKind, pairs: int, switch: Callable[[bool], None]
) -> Iterator[tuple[float, float]]:
    """Measure without and with, the order changing from pair to pair."""
    meter = cpu_us(app, request, 2 * pairs + 2)
    for number in range(pairs + 1):
        order = (False, True) if number % 2 else (True, False)
        took = {}
        for on in order:
            switch(on)
            took[on] = next(meter)
        if number:  # the first pair warms up
            yield took[False], took[True]


def _switch(app: Flask, kind: str) -> Callable[[bool], None]:
    """Return what turns metrics or spans of an app on and off."""
    before = dict(app.extensions)
    if kind == "spans":
        init_tracing(app, TracerProvider())
    else:
        init_metrics(app, CollectorRegistry())
        add_sink(app, _Keep())
    added = {name: made for name, made in app.extensions.items() if name not in before}

    def switch(on: bool) -> None:  # noqa: FBT001 - called by position only
        for name, made in added.items():
            if on:
                app.extensions[name] = made
            else:
                app.extensions.pop(name, None)

    return switch


def _of_event(app: Flask) -> float:
    """Return the microseconds of processor time that it takes to count the last kind of event."""
    [count, keep] = app.extensions[SINKS]
    begin = time.process_time_ns()
    for _ in range(2000):
        count(keep.event)
    return (time.process_time_ns() - begin) / 2000 / 1000


class _Keep:
    """Keep the last event."""

    event: Event

    def __call__(self, event: Event) -> None:
        self.event = event


def _in_files(store: str, pairs: int) -> list[tuple[object, ...]]:
    """Measure in a process that shares its metrics in files: that is decided on import."""
    with tempfile.TemporaryDirectory(prefix="otp-mpp-bench-") as folder:
        program = (
            "from benchmarks import metrics;"
            f"print([*metrics._measured({store!r}, 'shared', {pairs})])"
        )
        done = subprocess.run(  # noqa: S603 - this program
            [sys.executable, "-c", program],
            capture_output=True,
            check=True,
            env={**os.environ, _SHARE: folder},
            text=True,
        )
    rows: list[tuple[object, ...]] = eval(done.stdout)  # noqa: S307 - what was just printed
    return rows
