"""A queue for the threads of a process that write to one SQLite file."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections import deque
from typing import Any, Final

from flask_otp_mpp.core.deadline import seconds_left
from flask_otp_mpp.core.ports import StoreError

POLL_SECONDS: Final = (0.0002, 0.001)
"""Between two looks, at least and at most: about as long as a transaction takes."""


class WriteQueue:
    """The threads of a process that want to write, one after the other.

    :param wait_seconds: for which a thread waits for its turn.
    :ivar waiting: what those who wait want to be done, for whose turn it is to do with it.
    """

    def __init__(self, wait_seconds: float) -> None:
        self._wait_seconds = wait_seconds
        self._lock = threading.Lock()
        self.waiting: deque[Any] = deque()
        reset = weakref.WeakMethod(self._reset)
        os.register_at_fork(after_in_child=lambda: (usable := reset()) and usable())

    def __enter__(self) -> None:
        """Wait for the turn; it ends with the block.

        :raises StoreError: if it does not come in time.
        """
        if not self._lock.acquire(timeout=seconds_left(self._wait_seconds)):
            raise StoreError(f"the OTP database was not free for {self._wait_seconds:g} s")

    def __exit__(self, *_: object) -> None:
        """Let the next thread write."""
        self._lock.release()

    def enter_at_once(self) -> bool:
        """Begin the turn if the file is free; tell whether it is. ``__exit__`` ends it."""
        return self._lock.acquire(blocking=False)

    @staticmethod
    def yield_to_others() -> None:
        """Leave the file free until everybody who waits for it has looked."""
        time.sleep(max(POLL_SECONDS))

    def _reset(self) -> None:
        """Forget the threads of the parent, which are not in the child."""
        self._lock = threading.Lock()
        self.waiting = deque()
