"""A bulkhead: deliveries that hang hold only a part of the host's threads."""

from __future__ import annotations

import threading
import time
from typing import Final

from flask_otp_mpp.core.reasons import Reason, refuse

MOVING_SECONDS: Final = 0.5
"""For how long a delivery waits for a place; and only if another one began or ended since."""


class Bulkhead:
    """Deliver within ``with bulkhead:``, if there is a place.

    A crowd of quick deliveries comes through, each after a short wait. Where deliveries hang, the
    next one is refused at once.

    :param places: how many deliveries may be at work in this process.
    :ivar at_work: how many are.
    """

    def __init__(self, places: int) -> None:
        self.places: Final = places
        self.at_work = 0
        self._lock = threading.Lock()
        self._free = threading.Semaphore(places)
        self._moved_at = 0.0

    def __enter__(self) -> None:
        """Take a place.

        :raises Refused: OVERLOADED, if there is none.
        """
        if not self._free.acquire(blocking=False):
            wait = self._moved_at + MOVING_SECONDS - time.monotonic()
            if wait <= 0 or not self._free.acquire(timeout=wait):
                refuse(Reason.OVERLOADED)
        self._move(1)

    def __exit__(self, *_: object) -> None:
        """Leave the place to another delivery."""
        self._move(-1)
        self._free.release()

    def _move(self, change: int) -> None:
        with self._lock:
            self.at_work += change
            self._moved_at = time.monotonic()
