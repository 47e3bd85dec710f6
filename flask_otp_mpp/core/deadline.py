"""The time by which the request at work must be answered; each wait below it ends by then."""

from __future__ import annotations

import math
import time
from contextvars import ContextVar
from typing import Final

from flask_otp_mpp.core.scoped import Scoped

ANSWER_SECONDS: Final = 4.0
"""How long a request may take, apart from its body. Callers wait about five seconds."""
_end: ContextVar[float] = ContextVar("flask_otp_mpp_deadline", default=math.inf)


def answer_within(seconds: float) -> Scoped[float]:
    """Return what sets the deadline of a block, from now. Outside of such a block there is none."""
    return Scoped(_end, time.monotonic() + seconds)


def seconds_left(most: float) -> float:
    """Return for how many seconds to wait: ``most``, or what is left until the deadline.

    :returns: 0 if the deadline has passed.
    """
    return max(0.0, min(most, _end.get() - time.monotonic()))
