"""Whoever wants to write to an SQLite file gets to it soon after it is free.

SQLite itself sleeps longer and longer between two looks at a file that another one writes to, up to
a tenth of a second, while others come and go. Here the threads of a process stand in one line, and
who is first in it looks often.
"""

from __future__ import annotations

import os
import random
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Self

from flask_otp_mpp.core.ports import StoreError

BEGIN: Final = "BEGIN IMMEDIATE"
"""A deferred transaction that reads first fails when it then has to write beside another one."""
LOOKS: Final = (0.0002, 0.001)
"""Seconds between two looks, at least and at most: about as long as a transaction takes."""
_BUSY: Final = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


class Watchful(sqlite3.Connection):
    """Be a connection that looks often whether the file is free.

    :ivar patience: seconds until it gives up.
    """

    patience: float = 0
    _lightly = False

    def prepare(self) -> None:
        """Look more often than SQLite, as long as it has been told to; wait for the disk."""
        [milliseconds] = self.execute("PRAGMA busy_timeout").fetchone()
        self.patience = milliseconds / 1000
        self.execute("PRAGMA busy_timeout = 0")
        self.execute("PRAGMA synchronous = FULL")

    def begin(self, *, lightly: bool = False) -> None:
        """Begin to write.

        :param lightly: as in :meth:`take_lightly`.
        """
        self.take_lightly(lightly)
        self.execute(BEGIN)

    def take_lightly(self, lightly: bool) -> None:  # noqa: FBT001 - its name says it
        """Say before a transaction whether a power cut may take it back.

        It then need not wait for the disk.
        """
        if lightly is not self._lightly:
            self.execute(f"PRAGMA synchronous = {'NORMAL' if lightly else 'FULL'}")
            self._lightly = lightly

    def cursor(self, factory: Any = None) -> Any:
        return super().cursor(factory or _WatchfulCursor)

    def execute(self, *said: Any) -> sqlite3.Cursor:
        """Execute a statement as soon as the file is free.

        :raises sqlite3.OperationalError: if it does not become free.
        """
        cursor: sqlite3.Cursor = self.cursor().execute(*said)
        return cursor


class _WatchfulCursor(sqlite3.Cursor):
    """Be the cursor of a :class:`Watchful` connection."""

    connection: Watchful

    def execute(self, *said: Any) -> Self:
        end = None
        while True:
            try:
                return super().execute(*said)
            except sqlite3.OperationalError as error:
                now = time.monotonic()
                end = now + self.connection.patience if end is None else end
                if not is_busy(error) or now >= end:
                    raise
            time.sleep(random.uniform(*LOOKS))  # noqa: S311 - so that two don't look in step


class Line:
    """Let the threads of a process in one after the other.

    :param patience: seconds for which one waits.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._free = threading.Lock()
        anew = weakref.WeakMethod(self._anew)
        os.register_at_fork(after_in_child=lambda: (alive := anew()) and alive())

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for one's turn; it ends with the block.

        :raises StoreError: if it does not come.
        """
        free = self._free
        if not free.acquire(timeout=self._patience):
            raise StoreError(f"the OTP database was not free for {self._patience:g} s")
        try:
            yield
        finally:
            free.release()

    @staticmethod
    def stand_back() -> None:
        """Leave the file free for as long as the laziest of those who wait for it looks away."""
        time.sleep(max(LOOKS))

    def _anew(self) -> None:
        """Forget whose turn it is in the parent: that thread is not in the child."""
        self._free = threading.Lock()


def is_busy(error: BaseException | None) -> bool:
    """Tell whether SQLite has failed because another one works on the file."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _BUSY
