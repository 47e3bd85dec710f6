"""The doubles behave like the real thing, but for what a test wants to command."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

from flask_otp_mpp.core.message import Message


class FrozenClock:
    """Tell a time that moves only when it is told to.

    :param now: aware UTC; a fixed day if none is given.
    """

    def __init__(self, now: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **length: float) -> None:
        """Move on by the length of a ``timedelta``, such as ``seconds=30``."""
        self.now += timedelta(**length)


class Inbox:
    """Catch what a sender would deliver; register it as one: ``otp.sender(channel)(inbox)``."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.received: list[tuple[Any, Message]] = []

    def __call__(self, user: Any, message: Message) -> None:
        with self._lock:
            self.received.append((user, message))

    def __len__(self) -> int:
        return len(self.received)

    @property
    def code(self) -> str:
        """The code of the newest message."""
        return self.received[-1][1].code
