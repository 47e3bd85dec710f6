"""How much time of a send and of a verify is spent in each layer of the package.

cProfile measures the time that each function spends in itself, and the path of its module tells the
layer. The time of the standard library and of built-in functions is charged to the layer that calls
them; the time of SQLAlchemy and the drivers to the store or to the host. The profiler's own cost,
the same for each call, is subtracted.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import statistics
import time
from collections import defaultdict
from collections.abc import Mapping
from itertools import product
from typing import Any, Final, TypeAlias

from benchmarks import chart
from benchmarks.empty_stores import STORES, available
from benchmarks.inprocess import BLOCK, PeerApp, cpu_us, open_apps
from benchmarks.options import repeatable
from benchmarks.report import Report, Table
from benchmarks.wire import RequestKind

Function: TypeAlias = tuple[str, int, str]
KINDS: Final = (RequestKind.SEND, RequestKind.RIGHT)
PEERS: Final = ("lean", "wallet")
HARNESS: Final = "(harness)"
DATABASE: Final = "database"
FOR_STORE: Final = "SQLAlchemy, driver: store"
FOR_HOST: Final = "SQLAlchemy, driver: host"
ROUNDS: Final = 40
_LAYERS: Final = (
    ("core", ("flask_otp_mpp/core/",)),
    ("signing", ("flask_otp_mpp/signing/",)),
    ("protocols", ("flask_otp_mpp/protocols/",)),
    # It calls psycopg's compiled functions, which cProfile does not see.
    (FOR_STORE, ("flask_otp_mpp/stores/sql/postgresql_connections",)),
    ("stores", ("flask_otp_mpp/stores/",)),
    ("web", ("flask_otp_mpp/web/",)),
    ("host", ("example_app/", "benchmarks/lean", "benchmarks/floor", "benchmarks/naive")),
    ("host", ("benchmarks/host_users", "itsdangerous/")),
    (HARNESS, ("benchmarks/", "concurrent/futures/")),
    ("traffic limits", ("flask_limiter/", "/limits/")),
    ("Flask, Werkzeug", ("/flask/", "werkzeug/", "blinker/", "jinja2/")),
    (DATABASE, ("sqlalchemy/", "psycopg", "sqlite3", "/redis/", "pymysql/")),
    ("cryptography", ("cryptography",)),
)
_HIDDEN: Final = (HARNESS, DATABASE, FOR_STORE)
_OURS: Final = dict.fromkeys(layer for layer, _ in _LAYERS if layer not in _HIDDEN)
ORDER: Final = (*_OURS, FOR_STORE, FOR_HOST, "other")
_PARTS: Final = {
    "the package": ("core", "signing", "protocols", "stores", "web"),
    "Flask, Werkzeug": ("Flask, Werkzeug",),
    "traffic limits": ("traffic limits",),
    "cryptography": ("cryptography",),
    "database of the store": (FOR_STORE,),
    "host and its database": ("host", FOR_HOST),
    "other": ("other",),
}
"""The layers as they are drawn: so many as can be told apart by colour."""


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    repeatable(parser, "--store", ("memory", *STORES))
    repeatable(parser, "--peer", PEERS)
    parser.add_argument("--calls", type=int, help="calls of each kind (1000; with --quick 200)")


def run(args: argparse.Namespace) -> Report:
    """Run the command."""
    calls = args.calls or (200 if args.quick else 1000)
    tables: dict[tuple[str, str], Table] = {}
    for peer, store in product(args.peer or PEERS, args.store or available(STORES)):
        with open_apps([peer], store) as [app]:
            found = {kind: profiled(app, kind, calls) for kind in KINDS}
        rows: list[tuple[object, ...]] = []
        for layer in (*ORDER, "together"):
            cells = [
                (round(us[layer]), f"{us[layer] / us['together']:.0%}") for us in found.values()
            ]
            rows.append((layer, *(cell for pair in cells for cell in pair)))
        columns = [word for kind in KINDS for word in (f"{kind.value}, us", f"{kind.value}, share")]
        tables[peer, store] = Table(f"{peer} on {store}", ("layer", *columns), rows)
    return report(tables)


def report(tables: Mapping[tuple[str, str], Table]) -> Report:
    """Return the tables by peer and store; a short one and a chart of the first peer."""
    shown = next(peer for peer, _ in tables)
    groups: dict[str, dict[str, float]] = {}
    for (peer, store), table in tables.items():
        for kind in KINDS if peer == shown else ():
            us = {row["layer"]: row[f"{kind.value}, us"] for row in table.data()["rows"]}
            groups[f"{store}, {kind.value}"] = {
                part: sum(us[layer] for layer in layers) for part, layers in _PARTS.items()
            }
    lines = [[part, *(us[part] for us in groups.values())] for part in _PARTS]
    lines.append(["together", *(sum(us.values()) for us in groups.values())])
    short = Table(f"{shown}, microseconds of processor time", ("part", *groups), lines)
    drawn = chart.stacked(
        f"Where the time of {shown} goes", "microseconds of processor time", groups
    )
    return Report("profile", [*tables.values()], {"profile.svg": drawn}, summary=[short])


def profiled(app: PeerApp, kind: RequestKind, calls: int) -> Mapping[str, float]:
    """Return the microseconds of one call in each layer, and ``together``."""
    plain = statistics.median(list(cpu_us(app, kind, 5))[1:])
    signed = app.prepared(kind, max(calls, BLOCK))
    meter = cProfile.Profile(time.process_time)
    begin = time.process_time()
    meter.enable()
    app.work(signed)
    meter.disable()
    slowed = (time.process_time() - begin) / len(signed) * 1e6
    stats = vars(pstats.Stats(meter))["stats"]
    called = sum(numbers[1] for numbers in stats.values())
    spent = by_layer(stats, overhead=max(0.0, slowed - plain) * len(signed) / 1e6 / called)
    spent.pop(HARNESS, None)
    scale = plain / sum(spent.values())
    return defaultdict(float, {layer: s * scale for layer, s in spent.items()}, together=plain)


def by_layer(stats: Mapping[Function, tuple[Any, ...]], overhead: float = 0.0) -> dict[str, float]:
    """Sum the own time of functions by layer; a function of no layer is charged to its callers.

    :param overhead: seconds that the profiler spent on each call.
    """
    layers: dict[Function, dict[str, float]] = {}
    shared: dict[Function, str | None] = {}
    for function in stats:
        layer = layer_of(function)
        if layer in (None, DATABASE):
            shared[function] = layer
        else:
            layers[function] = {str(layer): 1.0}
    for _ in range(ROUNDS):  # each time one caller further; enough for recursive callers
        for function, layer in shared.items():
            callers = {f: v[3] for f, v in stats[function][4].items() if f in layers}
            whole = sum(callers.values())
            found: dict[str, float] = defaultdict(float)
            for caller, weight in callers.items():
                for name, share in layers[caller].items():
                    found[_for_whom(name) if layer else name] += share * weight / (whole or 1)
            if found:
                layers[function] = found
    spent: dict[str, float] = defaultdict(float)
    for function, numbers in stats.items():
        own = max(0.0, numbers[2] - numbers[1] * overhead)
        for layer, share in layers.get(function, {"other": 1.0}).items():
            spent[layer] += own * share
    return spent


def _for_whom(layer: str) -> str:
    """Return the row of the database's time that this layer caused."""
    if layer in (FOR_HOST, "host"):
        return FOR_HOST
    return FOR_STORE if layer in (FOR_STORE, "stores") else layer


def layer_of(function: Function) -> str | None:
    """Return the layer of a function; None for a built-in or the standard library."""
    path, _, name = function
    text = name if path == "~" else path
    for layer, marks in _LAYERS:
        if any(mark in text for mark in marks):
            return layer
    return "other" if "site-packages" in path else None
