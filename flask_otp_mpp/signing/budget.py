"""How many private-key operations an app spends on callers who have not proven who they are."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

MonotonicClock = Callable[[], float]


class TokenBucket:
    """Allow a number of events in a second, and a burst of them after a pause.

    :param rate: events in a second, in the long run.
    :param size: the most events at once.
    :param clock: seconds that never go back.
    """

    def __init__(self, rate: float, size: int, clock: MonotonicClock = time.monotonic) -> None:
        self.size: Final = size
        self._rate = rate
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens = float(size)
        self._filled_at = clock()

    def take(self, leaving: float = 0) -> bool:
        """Take one token.

        :param leaving: how many must remain, for others who need them more.
        :returns: whether there was one.
        """
        with self._lock:
            now = self._clock()
            gained = (now - self._filled_at) * self._rate
            self._tokens, self._filled_at = min(self.size, self._tokens + gained), now
            if self._tokens < 1 + leaving:
                return False
            self._tokens -= 1
            return True


class SigningBudget:
    """Signatures for unproven callers: together five in a second, and 25 at once after a pause.

    There are three parts, so that who empties one takes nothing from the others.

    :ivar familiar: for the address from which a client has proven itself before.
    :ivar known: for any other address, at the paths that are served.
    :ivar other: for everything else.
    """

    def __init__(self, clock: MonotonicClock = time.monotonic) -> None:
        self.familiar: Final = TokenBucket(2, 10, clock)
        self.known: Final = TokenBucket(2, 10, clock)
        self.other: Final = TokenBucket(1, 5, clock)
