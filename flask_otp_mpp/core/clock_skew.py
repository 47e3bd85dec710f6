"""How far the clock of this machine is from those of its callers, by the times that they sign."""

from __future__ import annotations

import logging
import threading
from collections import deque
from typing import Final

logger = logging.getLogger("flask_otp_mpp")

WARN_SECONDS: Final = 30
"""From which skew on it is logged: half of what clocks may be apart."""
_KEPT: Final = 51
_EVERY: Final = 17
"""After so many requests the median of those that are kept is taken again."""


class ClockSkew:
    """Take the median of how old the requests of proven callers are.

    A single caller with a wrong clock among others does not change it.

    :ivar seconds: by which this machine's clock is ahead; negative if it is behind, None if it is
        not known yet.
    """

    def __init__(self) -> None:
        self.seconds: float | None = None
        self._lock = threading.Lock()
        self._ages: deque[float] = deque(maxlen=_KEPT)
        self._count = 0
        self._told = False

    def observe(self, age: float) -> None:
        """Take a request of a proven caller into account.

        :param age: seconds since the time that the caller has signed; negative if that is ahead.
        """
        with self._lock:
            self._ages.append(age)
            self._count += 1
            if self._count % _EVERY:
                return
            self.seconds = sorted(self._ages)[len(self._ages) // 2]
            apart = abs(self.seconds) > WARN_SECONDS
            tell = apart and not self._told
            self._told = apart
        if tell:
            logger.warning(
                "the clock of this machine is %.0f s %s that of its callers; synchronise it (NTP)",
                abs(self.seconds),
                "ahead of" if self.seconds > 0 else "behind",
            )
