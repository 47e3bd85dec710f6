"""``python -m benchmarks NAME`` measures one thing, shows it, and keeps it if asked."""

from __future__ import annotations

import argparse
import inspect
import json
import signal
import sys
from types import ModuleType
from typing import Final

from benchmarks import (
    flood,
    google,
    imports,
    inprocess,
    layers,
    limits,
    load,
    memory,
    purge,
    scale,
    stores,
)
from benchmarks.report import Report

COMMANDS: Final[dict[str, ModuleType]] = {
    "load": load,
    "inprocess": inprocess,
    "profile": layers,
    "stores": stores,
    "purge": purge,
    "scale": scale,
    "memory": memory,
    "imports": imports,
    "flood": flood,
    "limits": limits,
    "google": google,
}


def parser() -> argparse.ArgumentParser:
    """Declare the command line."""
    made = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure what the package claims of its speed. Each command has a --help.",
        epilog="`all` runs every one of them: the figures of docs/benchmarks.md come from "
        "`python -m benchmarks all --write`.",
    )
    commands = made.add_subparsers(dest="command", required=True, metavar="NAME")
    for name, module in COMMANDS.items():
        text = inspect.getdoc(module) or ""
        one = commands.add_parser(
            name,
            help=text.splitlines()[0],
            description=text,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        _common(one)
        module.options(one)
    _common(commands.add_parser("all", help="every one of these, one after the other"))
    return made


def main() -> int:
    """Run one command, or all; 1 if something was found that voids a figure."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that servers are stopped
    asked = parser().parse_args()
    names = list(COMMANDS) if asked.command == "all" else [asked.command]
    reports = []
    for name in names:
        if asked.command == "all":
            print(f"== {name}", file=sys.stderr)
            asked = parser().parse_args([name, *(word for word in sys.argv[2:])])
        try:
            report: Report = COMMANDS[name].run(asked)
        except RuntimeError as error:
            print(f"{name}: {error}", file=sys.stderr)
            return 1
        reports.append(report)
        if not asked.json:
            print(report.markdown(), end="\n\n")
        for fault in report.faults:
            print(f"void: {fault}", file=sys.stderr)
        if asked.write and not report.faults:
            report.write()
    if asked.json:
        print(json.dumps([report.data() for report in reports], indent=2))
    return 1 if any(report.faults for report in reports) else 0


def _common(one: argparse.ArgumentParser) -> None:
    one.add_argument("--quick", action="store_true", help="less of everything: a first look")
    one.add_argument("--json", action="store_true", help="print JSON")
    one.add_argument("--write", action="store_true", help="put it into docs/benchmarks.md")


if __name__ == "__main__":
    sys.exit(main())
