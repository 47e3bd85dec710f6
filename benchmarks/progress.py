"""The progress of a long run: on one line of a terminal, or now and then in a log."""

from __future__ import annotations

import sys
import time
from typing import Final

WIDTH: Final = 78
QUIET_SECONDS: Final = 15.0
_last = 0.0


def note(text: str = "") -> None:
    """Show the progress; without a text, clear the line."""
    global _last  # noqa: PLW0603 - there is one terminal
    if sys.stderr.isatty():
        end = "" if text else "\r"
        print(f"\r{text[:WIDTH]:<{WIDTH}}", end=end, file=sys.stderr, flush=True)
    elif text and time.monotonic() - _last > QUIET_SECONDS:
        _last = time.monotonic()
        print(text, file=sys.stderr, flush=True)
