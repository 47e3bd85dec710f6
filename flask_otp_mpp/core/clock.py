"""The clock that core, stores and protocols read, and how far clocks may be apart."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

Clock: TypeAlias = Callable[[], datetime]
"""Returns the current time as aware UTC."""

CLOCKS_APART: Final = timedelta(seconds=60)
"""How far the clocks of two hosts, or of a host and the store, may be apart, and how far the
store's clock may jump. docs/operations.md, "Time", asks operators for it."""


def replay_memory(freshness: timedelta) -> timedelta:
    """Return how long a request must be remembered, so that no repeat is fresh afterwards.

    A host whose clock is ahead accepts it as early as its window allows, and one whose clock is
    behind as late: that is two windows, and the clocks' difference. The store's clock may jump
    forward meanwhile, for example when another server takes over. The second is for repeats, and
    purges, at the very end.

    :param freshness: how far a request's time may be from now, either way.
    """
    return 2 * freshness + 2 * CLOCKS_APART + timedelta(seconds=1)


def utc_now() -> datetime:
    """Return the system's time as aware UTC."""
    return datetime.now(UTC)
