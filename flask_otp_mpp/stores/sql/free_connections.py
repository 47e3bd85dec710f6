"""How many connections of a pool are free: a request waits for one until its deadline."""

from __future__ import annotations

import os
import threading
import weakref

from flask_otp_mpp.core.deadline import seconds_left
from flask_otp_mpp.core.ports import StoreUnavailable
from flask_otp_mpp.stores.options import POOL_SECONDS


class FreeConnections:
    """Count the free connections of a pool, which itself knows no deadline.

    :param size: of the pool.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._free = threading.Semaphore(size)
        reset = weakref.WeakMethod(self._reset)
        os.register_at_fork(after_in_child=lambda: (usable := reset()) and usable())

    def take(self) -> None:
        """Wait for a connection that is free.

        :raises StoreUnavailable: if there is none in time.
        """
        if not self._free.acquire(timeout=seconds_left(POOL_SECONDS)):
            raise StoreUnavailable("no connection to the OTP database was free in time")

    def give_back(self) -> None:
        """Let another thread take the connection."""
        self._free.release()

    def _reset(self) -> None:
        """Forget what the threads of the parent use: they are not in the child."""
        self._free = threading.Semaphore(self._size)
