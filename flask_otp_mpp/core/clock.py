"""The clock that core, stores and protocols read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeAlias

Clock: TypeAlias = Callable[[], datetime]
"""Returns the current time as aware UTC."""


def utc_now() -> datetime:
    """Return the system's time as aware UTC."""
    return datetime.now(UTC)
