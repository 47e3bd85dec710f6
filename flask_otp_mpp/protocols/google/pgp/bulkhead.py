"""Bound how many do something expensive at once, how many wait for it, and for how long.

The bulkhead is a pattern of resilience: what is slow behind it can't take all threads of a process.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

STALL: Final = 1.0
"""After how many seconds without any change nobody waits for a place any longer."""


class Full(Exception):
    """No place was free in time."""


class Bulkhead:
    """A number of places, and a bounded queue for them.

    A queue is right for a burst of short calls, and wrong if the calls hang: it would only hold
    more threads. So it is left as soon as no place was taken or given back for :data:`STALL`.

    :param places: how many may be inside at once.
    :param waiting: how many may wait beside them.
    :param longest: how long one may wait, in seconds.
    :ivar inside: how many have a place now, and ``waiting`` how many wait for one.
    """

    def __init__(self, places: int, *, waiting: int, longest: float) -> None:
        self._places = places
        self._room = waiting
        self._longest = longest
        self.inside = 0
        self.waiting = 0
        self._moved = 0.0
        self._changed = threading.Condition()

    @contextmanager
    def place(self) -> Iterator[None]:
        """Take a place, and give it back in the end.

        :raises Full: if the queue is full, or no place becomes free in time.
        """
        with self._changed:
            if self.inside >= self._places:
                self._wait(time.monotonic() + self._longest)
            self.inside += 1
            self._moved = time.monotonic()
        try:
            yield
        finally:
            with self._changed:
                self.inside -= 1
                self._moved = time.monotonic()
                self._changed.notify()

    def _wait(self, deadline: float) -> None:
        if self.waiting >= self._room:
            raise Full(f"has no place for more than {self._places} and {self._room} that wait")
        self.waiting += 1
        try:
            while self.inside >= self._places:
                left = min(deadline, self._moved + STALL) - time.monotonic()
                if left <= 0:
                    raise Full("had no free place in time")
                self._changed.wait(left)
        finally:
            self.waiting -= 1
