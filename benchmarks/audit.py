"""What the audit trail costs a send: apps with and without one are called in turn, by WSGI.

Both are the same wallet on the same kind of store, each in an empty place of its own; the trail is
in the store's database. One thread calls them in blocks, one after the other. A round trip is
counted by a relay in a run of its own.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from benchmarks import peers
from benchmarks.empty_stores import available
from benchmarks.inprocess import PeerApp
from benchmarks.options import repeatable
from benchmarks.report import FIGURES, Report, Table
from benchmarks.roundtrips import Relay
from benchmarks.wire import RequestKind
from flask_otp_mpp import SQLAlchemyStore
from flask_otp_mpp.audit.table import AuditTable

NAMES: Final = ("sqlite", "postgresql")
BLOCK: Final = 20
COLUMNS: Final = ("store", "without ms", "with ms", "ratio", "round trips more")


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    repeatable(parser, "--store", NAMES)
    parser.add_argument("--blocks", type=int, help=f"blocks of {BLOCK} sends (40; --quick 8)")


def run(args: argparse.Namespace) -> Report:
    """Run the command."""
    blocks = args.blocks or (8 if args.quick else 40)
    rows = [_measured(store, blocks) for store in args.store or available(NAMES)]
    title = f"Median of {blocks} blocks of {BLOCK} sends each, in turns, in one thread"
    return Report("audit", [Table(title, COLUMNS, rows)], page=FIGURES)


@contextmanager
def _apps(store: str, *, relayed: bool) -> Iterator[tuple[PeerApp, PeerApp, Relay | None]]:
    with ExitStack() as stack:
        made, relay = [], None
        for audited in (False, True):
            home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="otp-mpp-bench-")))
            [peer] = stack.enter_context(peers.opened(["lean"], store, home))
            url = peer.settings["BENCH_STORE"]
            config = []
            if audited:
                table = AuditTable(SQLAlchemyStore(url))
                table.create()
                table.store.engine.dispose()
                config.append("OTP_MPP_AUDIT = 'store'")
            if relayed:
                server = sa.make_url(url)
                relay = relay or stack.enter_context(
                    Relay(server.host or "127.0.0.1", server.port or 0)
                )
                near = server.set(port=relay.port).render_as_string(hide_password=False)
                config.append(f"OTP_MPP_STORE = {near!r}")
            with (Path(peer.settings["BENCH_KEYS"]) / "config.py").open("a") as file:
                file.write("\n".join(["", *config, ""]))
            app = PeerApp(peer)
            stack.callback(app.wsgi_app.extensions["otp_mpp"].store.engine.dispose)
            made.append(app)
        yield made[0], made[1], relay


def _measured(store: str, blocks: int) -> tuple[object, ...]:
    times: tuple[list[float], list[float]] = ([], [])
    with _apps(store, relayed=False) as (*apps, _):
        for block in range(blocks + 1):
            for app, took in zip(apps, times, strict=True):
                seconds = _block(app)
                if block:  # the first one warms up
                    took.append(1000 * seconds / BLOCK)
    without, audited = map(statistics.median, times)
    more: object = "-"
    if store != "sqlite":
        more = _round_trips(store)
    return store, without, audited, audited / without, more


def _round_trips(store: str) -> float:
    counts = []
    with _apps(store, relayed=True) as (*apps, relay):
        assert relay is not None
        for app in apps:
            _block(app)
            before = relay.round_trips
            _block(app)
            counts.append((relay.round_trips - before) / BLOCK)
    return counts[1] - counts[0]


def _block(app: PeerApp) -> float:
    signed = app.prepared(RequestKind.SEND, BLOCK)
    begin = time.perf_counter()
    app.work(signed)
    return time.perf_counter() - begin
