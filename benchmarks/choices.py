"""What is to be measured is chosen by options that may be repeated."""

from __future__ import annotations

import argparse
from collections.abc import Iterable


def several(parser: argparse.ArgumentParser, option: str, names: Iterable[str]) -> None:
    """Declare an option that takes one of the names, and may be given several times."""
    known = list(names)
    parser.add_argument(
        option,
        choices=known,
        action="append",
        metavar="NAME",
        help=f"{', '.join(known)}; repeatable",
    )
