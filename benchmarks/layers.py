"""Where the time of one send and one verify goes, room by room.

cProfile counts the time that each function spends in itself; functions are put into rooms by the
path of their module. What the standard library and the interpreter's built-ins spend is charged to
the room that called them, and what SQLAlchemy and the drivers spend to whom they work for: the
store or the host. What the profiler itself costs, the same for each call, is taken off again.
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

from benchmarks.choices import several
from benchmarks.inprocess import BLOCK, Seat, cpu_us, seats
from benchmarks.places import STORES, there
from benchmarks.report import Report, Table
from benchmarks.wire import Act

Function: TypeAlias = tuple[str, int, str]
ACTS: Final = (Act.SEND, Act.RIGHT)
PEERS: Final = ("lean", "wallet")
HARNESS: Final = "(harness)"
DATABASE: Final = "database"
FOR_STORE: Final = "SQLAlchemy, driver: store"
FOR_HOST: Final = "SQLAlchemy, driver: host"
ROUNDS: Final = 40
_ROOMS: Final = (
    ("core", ("flask_otp_mpp/core/",)),
    ("signing", ("flask_otp_mpp/signing/",)),
    ("protocols", ("flask_otp_mpp/protocols/",)),
    ("stores", ("flask_otp_mpp/stores/",)),
    ("web", ("flask_otp_mpp/web/",)),
    ("host", ("example_app/", "benchmarks/lean", "benchmarks/floor", "benchmarks/naive")),
    ("host", ("benchmarks/people", "itsdangerous/")),
    (HARNESS, ("benchmarks/", "concurrent/futures/")),
    ("traffic limits", ("flask_limiter/", "/limits/")),
    ("Flask, Werkzeug", ("/flask/", "werkzeug/", "blinker/", "jinja2/")),
    (DATABASE, ("sqlalchemy/", "psycopg", "sqlite3", "/redis/", "pymysql/")),
    ("cryptography", ("cryptography",)),
)
_HIDDEN: Final = (HARNESS, DATABASE)
_OURS: Final = dict.fromkeys(room for room, _ in _ROOMS if room not in _HIDDEN)
ORDER: Final = (*_OURS, FOR_STORE, FOR_HOST, "other")


def options(parser: argparse.ArgumentParser) -> None:
    """Declare what may be chosen."""
    several(parser, "--store", ("memory", *STORES))
    several(parser, "--peer", PEERS)
    parser.add_argument("--calls", type=int, help="1000; 200 if quick")


def run(asked: argparse.Namespace) -> Report:
    """Profile what was asked for."""
    calls = asked.calls or (200 if asked.quick else 1000)
    tables = []
    for peer, store in product(asked.peer or PEERS, asked.store or there(STORES)):
        with seats([peer], store) as [seat]:
            found = {act: profiled(seat, act, calls) for act in ACTS}
        rows: list[tuple[object, ...]] = []
        for room in (*ORDER, "together"):
            cells = [(round(us[room]), f"{us[room] / us['together']:.0%}") for us in found.values()]
            rows.append((room, *(cell for pair in cells for cell in pair)))
        columns = [word for act in ACTS for word in (f"{act.value}, us", "share")]
        tables.append(Table(f"{peer} on {store}", ("room", *columns), rows))
    return Report("profile", tables)


def profiled(seat: Seat, act: Act, calls: int) -> Mapping[str, float]:
    """Return the microseconds of one call by room, and ``together``."""
    plain = statistics.median(list(cpu_us(seat, act, 5))[1:])
    asked = seat.prepared(act, max(calls, BLOCK))
    meter = cProfile.Profile(time.process_time)
    begin = time.process_time()
    meter.enable()
    seat.work(asked)
    meter.disable()
    slowed = (time.process_time() - begin) / len(asked) * 1e6
    stats = vars(pstats.Stats(meter))["stats"]
    called = sum(numbers[1] for numbers in stats.values())
    spent = by_room(stats, overhead=max(0.0, slowed - plain) * len(asked) / 1e6 / called)
    spent.pop(HARNESS, None)
    scale = plain / sum(spent.values())
    return defaultdict(float, {room: s * scale for room, s in spent.items()}, together=plain)


def by_room(stats: Mapping[Function, tuple[Any, ...]], overhead: float = 0.0) -> dict[str, float]:
    """Sum the own time of functions; what belongs to no room is charged to its callers.

    :param overhead: seconds that the profiler spent on each call.
    """
    homes: dict[Function, dict[str, float]] = {}
    homeless: dict[Function, str | None] = {}
    for function in stats:
        room = room_of(function)
        if room in (None, DATABASE):
            homeless[function] = room
        else:
            homes[function] = {str(room): 1.0}
    for _ in range(ROUNDS):  # each time one caller farther, and round every circle of callers
        for function, room in homeless.items():
            callers = {f: v[3] for f, v in stats[function][4].items() if f in homes}
            whole = sum(callers.values())
            found: dict[str, float] = defaultdict(float)
            for caller, weight in callers.items():
                for name, share in homes[caller].items():
                    found[_for_whom(name) if room else name] += share * weight / (whole or 1)
            if found:
                homes[function] = found
    spent: dict[str, float] = defaultdict(float)
    for function, numbers in stats.items():
        own = max(0.0, numbers[2] - numbers[1] * overhead)
        for room, share in homes.get(function, {"other": 1.0}).items():
            spent[room] += own * share
    return spent


def _for_whom(room: str) -> str:
    """Name the database's work by the room that asked for it."""
    if room in (FOR_HOST, "host"):
        return FOR_HOST
    return FOR_STORE if room in (FOR_STORE, "stores") else room


def room_of(function: Function) -> str | None:
    """Name the room of a function; None if it is anybody's: built-in, or standard library."""
    path, _, name = function
    text = name if path == "~" else path
    for room, marks in _ROOMS:
        if any(mark in text for mark in marks):
            return room
    return "other" if "site-packages" in path else None
