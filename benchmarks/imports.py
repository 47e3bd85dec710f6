"""The time to import the package, beyond the time of its dependencies.

Each import runs in a new interpreter, which times steps: Flask, Flask-Limiter and cryptography;
SQLAlchemy's core; the package; what an app with Alipay+ and a SQL store asks of it; and the group
of its commands, which any command of ``flask`` loads. Modules are the package's own. All of them
are compiled before, as an installation leaves them.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from typing import Final

from benchmarks.report import Report, Table

_STEPS: Final = {
    "flask, flask_limiter, cryptography": (
        "import flask, flask_limiter",
        "from cryptography.hazmat.primitives import serialization",
        "from cryptography.hazmat.primitives.asymmetric import padding, rsa",
    ),
    "sqlalchemy": ("import sqlalchemy",),
    "flask_otp_mpp, in addition": ("import flask_otp_mpp",),
    "Alipay+ and a SQL store, in addition": (
        "from flask_otp_mpp import AlipayPlus, SQLAlchemyStore",
    ),
    "the group of commands, in addition": ("import flask_otp_mpp.web.cli",),
}
_PROGRAM: Final = """
import json, sys, time
def modules():
    return sum(name.partition(".")[0] == "flask_otp_mpp" for name in sys.modules)
steps = {}
for name, statements in json.loads(sys.argv[1]).items():
    before, begin = modules(), time.process_time()
    for statement in statements:
        exec(statement)
    steps[name] = time.process_time() - begin, modules() - before
print(json.dumps(steps))
"""
COLUMNS = ("what", "ms", "modules")


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("--times", type=int, help="how many interpreters (15; with --quick 5)")


def run(args: argparse.Namespace) -> Report:
    """Run the command."""
    times = args.times or (5 if args.quick else 15)
    found = [once() for _ in range(times + 1)][1:]  # the first compiles, and fills the disk cache
    seconds = {name: statistics.median(one[name][0] for one in found) for name in _STEPS}
    rows: list[tuple[object, ...]] = [
        (name, seconds[name] * 1e3, round(found[0][name][1]) or "-") for name in _STEPS
    ]
    flask, sqlalchemy, package, app, _commands = seconds.values()
    for what, part in (
        ("flask_otp_mpp", package),
        ("it with Alipay+ and a SQL store", package + app),
    ):
        rows.append(
            (f"{what}, as a share of the first two", f"{part / (flask + sqlalchemy):.1%}", "-")
        )
    return Report("imports", [Table(f"CPU, median of {times} interpreters", COLUMNS, rows)])


def once() -> dict[str, tuple[float, int]]:
    """Return for each step its seconds, and how many modules of the package it has imported."""
    done = subprocess.run(  # noqa: S603 - no outside input
        [sys.executable, "-c", _PROGRAM, json.dumps(_STEPS)],
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, tuple[float, int]] = json.loads(done.stdout)
    return found
