"""What becomes known of a request on its way: whom it is about, and where its time goes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Part(StrEnum):
    """Name a part of the time of a request."""

    HOOKS = "hooks"
    STORE = "store"
    DELIVERY = "delivery"


@dataclass(slots=True)
class Trace:
    """Hold what is known of one request; it is filled in by whoever learns it.

    An event is complete by it, however the request ends: by an exception, too.

    :ivar context: how far the protocol came with it.
    :ivar subject: the user, as the host names it.
    :ivar attempts: how often the store was asked, those included that it had to try again.
    :ivar reference: names the entry of the log for an exception.
    """

    begun: float = field(default_factory=time.monotonic)
    context: Any = None
    subject: str = ""
    challenge_id: str = ""
    attempts: int = 0
    reference: str = ""
    seconds: dict[Part, float] = field(default_factory=dict)

    @property
    def total(self) -> float:
        """Seconds since the request began."""
        return time.monotonic() - self.begun


_current: ContextVar[Trace | None] = ContextVar("flask_otp_mpp_trace", default=None)


@contextmanager
def recording(trace: Trace) -> Iterator[None]:
    """Let all that the block does be recorded in a trace."""
    token = _current.set(trace)
    try:
        yield
    finally:
        _current.reset(token)


def current() -> Trace:
    """Return the trace of the request that is at work; one that nobody reads if there is none."""
    return _current.get() or Trace()


def count_attempt() -> None:
    """Count that a store is asked."""
    if (trace := _current.get()) is not None:
        trace.attempts += 1


class timed:  # noqa: N801 - it is used as a statement: with timed(Part.STORE)
    """Add the time of a block to a part of the request at work."""

    __slots__ = ("_begun", "_part")

    def __init__(self, part: Part) -> None:
        self._part = part

    def __enter__(self) -> None:
        """Begin."""
        self._begun = time.monotonic()

    def __exit__(self, *_: object) -> None:
        """Add the time, however the block ended."""
        if (trace := _current.get()) is not None:
            took = time.monotonic() - self._begun
            trace.seconds[self._part] = trace.seconds.get(self._part, 0.0) + took
