"""``python -m benchmarks NAME``: the commands that measure the package, and their help."""

from __future__ import annotations

import argparse
import inspect
import json
import signal
import sys
from types import ModuleType
from typing import Final

from benchmarks import (
    audit,
    beside,
    contract,
    failover,
    flood,
    google,
    growth,
    imports,
    inprocess,
    instructions,
    layers,
    limits,
    load,
    memory,
    metrics,
    purge,
    scale,
    simulate,
    stores,
    versions,
)
from benchmarks.report import Report

COMMANDS: Final[dict[str, ModuleType]] = {
    "versions": versions,
    "load": load,
    "peers": beside,
    "contract": contract,
    "inprocess": inprocess,
    "instructions": instructions,
    "profile": layers,
    "stores": stores,
    "purge": purge,
    "scale": scale,
    "simulate": simulate,
    "growth": growth,
    "memory": memory,
    "metrics": metrics,
    "imports": imports,
    "flood": flood,
    "limits": limits,
    "google": google,
    "failover": failover,
    "audit": audit,
}


def parser() -> argparse.ArgumentParser:
    """Declare the command line."""
    made = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="""Measure how fast the package is, and what a request costs.

Most figures are compared with the floor: the least that a request can cost, in bare Flask without
any guarantee. `python -m benchmarks NAME --help` explains a command and its columns.""",
        epilog="""examples:
  python -m benchmarks stores --quick                    a first look, in seconds
  python -m benchmarks load --store sqlite --only lean --only floor
  python -m benchmarks all --write                       all figures of docs/benchmarks

exit status: 0 if every answer was right; 1 if not, and then nothing is written.""",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = made.add_subparsers(dest="command", required=True, metavar="NAME")
    for name, module in COMMANDS.items():
        text = inspect.getdoc(module) or ""
        command = commands.add_parser(
            name,
            help=text.splitlines()[0],
            description=text,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        _common(command)
        module.options(command)
    _common(commands.add_parser("all", help="Run every command, one after the other."))
    return made


def main() -> int:
    """Run one command, or all; return 1 if an answer was wrong, which makes the figures invalid."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that servers are stopped
    args = parser().parse_args()
    names = list(COMMANDS) if args.command == "all" else [args.command]
    reports = []
    for name in names:
        if args.command == "all":
            print(f"== {name}", file=sys.stderr)
            args = parser().parse_args([name, *sys.argv[2:]])
        try:
            report: Report = COMMANDS[name].run(args)
        except RuntimeError as error:
            print(f"{name}: {error}", file=sys.stderr)
            return 1
        reports.append(report)
        if not args.json:
            print(report.markdown(), end="\n\n")
        for fault in report.faults:
            print(f"invalid: {fault}", file=sys.stderr)
        if args.write and not report.faults:
            report.write()
    if args.json:
        print(json.dumps([report.data() for report in reports], indent=2))
    return 1 if any(report.faults for report in reports) else 0


def _common(one: argparse.ArgumentParser) -> None:
    one.add_argument(
        "--quick", action="store_true", help="fewer and shorter runs, for a first look"
    )
    one.add_argument("--json", action="store_true", help="print JSON for machines")
    one.add_argument(
        "--write",
        action="store_true",
        help="write tables and charts into docs/benchmarks, or docs/scaling.md",
    )


if __name__ == "__main__":
    sys.exit(main())
