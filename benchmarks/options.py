"""Command line options that may be given several times."""

from __future__ import annotations

import argparse
from collections.abc import Iterable


def repeatable(parser: argparse.ArgumentParser, option: str, names: Iterable[str]) -> None:
    """Declare an option that takes one of the names and may be repeated."""
    known = list(names)
    parser.add_argument(
        option,
        choices=known,
        action="append",
        metavar="NAME",
        help=f"{', '.join(known)}; repeatable",
    )
