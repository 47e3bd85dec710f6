"""The time to import the package, beyond the time of its dependencies.

Each import runs in a new interpreter: first Flask, cryptography, Flask-Limiter and SQLAlchemy's
core, then the package; the two are timed separately. Modules are the package's own.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from typing import Final

from benchmarks.report import Report, Table

_PROGRAM: Final = """
import json, sys, time
begin = time.process_time()
import flask, flask_limiter, sqlalchemy
from cryptography.hazmat.primitives.asymmetric import padding, rsa
below = time.process_time()
import flask_otp_mpp
end = time.process_time()
ours = sum(name.partition(".")[0] == "flask_otp_mpp" for name in sys.modules)
print(json.dumps([below - begin, end - below, ours]))
"""
COLUMNS = ("what", "ms", "modules")


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("--times", type=int, help="how many interpreters (15; with --quick 5)")


def run(args: argparse.Namespace) -> Report:
    """Run the command."""
    times = args.times or (5 if args.quick else 15)
    found = [once() for _ in range(times + 1)][1:]  # the first fills the disk cache
    below, ours, modules = map(statistics.median, zip(*found, strict=True))
    rows = [
        ("flask, flask_limiter, sqlalchemy, cryptography", below * 1e3, "-"),
        ("flask_otp_mpp, in addition", ours * 1e3, round(modules)),
        ("the addition, as a share of the first", f"{ours / below:.1%}", "-"),
    ]
    return Report("imports", [Table(f"CPU, median of {times} interpreters", COLUMNS, rows)])


def once() -> list[float]:
    """Return seconds of the dependencies, seconds of the package, and how many modules it has."""
    done = subprocess.run(  # noqa: S603 - no outside input
        [sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True
    )
    found: list[float] = json.loads(done.stdout)
    return found
