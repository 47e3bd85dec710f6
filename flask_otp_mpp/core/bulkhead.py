"""Bound how many do something slow at once, how many wait for it, and for how long.

The bulkhead is a pattern of resilience: what is slow behind it can't take all threads of a process.
"""

from __future__ import annotations

import sys
import threading
import time
from typing import Final

STALL: Final = 1.0
"""After how many seconds without any change nobody waits for a place any longer."""
MOVING_SECONDS: Final = 0.5
"""The same for deliveries, which wait no longer than that for a place."""


class Full(Exception):
    """No place was free in time."""


class Bulkhead:
    """A number of places, and a bounded queue for them; ``with bulkhead:`` holds a place.

    A queue is right for a burst of short calls, and wrong if the calls hang: it would only hold
    more threads. So it is left as soon as no place was taken or given back for a while.

    :param places: how many may be inside at once.
    :param waiting: how many may wait beside them.
    :param longest: how long one may wait, in seconds.
    :param stall: how long one waits while nothing changes, in seconds.
    :ivar inside: how many have a place now, and ``waiting`` how many wait for one.
    """

    def __init__(self, places: int, *, waiting: int, longest: float, stall: float = 0) -> None:
        self.places: Final = places
        self._room = waiting
        self._longest = longest
        self._stall = stall
        self.inside = 0
        self.waiting = 0
        self._moved = 0.0
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)

    def __enter__(self) -> None:
        """Take a place.

        :raises Full: if the queue is full, or no place becomes free in time.
        """
        with self._lock:
            if self.inside >= self.places:
                self._wait(time.monotonic() + self._longest)
            self.inside += 1
            self._moved = time.monotonic()

    def __exit__(self, *_: object) -> None:
        """Give it back."""
        with self._lock:
            self.inside -= 1
            self._moved = time.monotonic()
            if self.waiting:
                self._changed.notify()

    def _wait(self, deadline: float) -> None:
        if self.waiting >= self._room:
            raise Full(f"has no place for more than {self.places} and {self._room} that wait")
        self.waiting += 1
        try:
            while self.inside >= self.places:
                left = min(deadline, self._moved + (self._stall or STALL)) - time.monotonic()
                if left <= 0:
                    raise Full("had no free place in time")
                self._changed.wait(left)
        finally:
            self.waiting -= 1


def deliveries(places: int) -> Bulkhead:
    """Return the bulkhead of deliveries: a crowd of quick ones comes through, hung ones do not.

    :param places: how many may be at work in this process.
    """
    return Bulkhead(places, waiting=sys.maxsize, longest=MOVING_SECONDS, stall=MOVING_SECONDS)
