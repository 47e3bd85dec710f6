"""The time by which the request at work must be answered; each wait below it ends by then."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

ANSWER_SECONDS: Final = 4.5
"""How long a request may take, apart from its body. Callers wait about five seconds."""
_end: ContextVar[float] = ContextVar("flask_otp_mpp_deadline", default=math.inf)


@contextmanager
def answer_within(seconds: float) -> Iterator[None]:
    """Set the deadline of what the block does. Outside of such a block there is none."""
    token = _end.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _end.reset(token)


def seconds_left(most: float) -> float:
    """Return for how many seconds to wait: ``most``, or what is left until the deadline.

    :returns: 0 if the deadline has passed.
    """
    return max(0.0, min(most, _end.get() - time.monotonic()))
