"""A clock and a sender for tests."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

from flask_otp_mpp.core.message import Message


class FrozenClock:
    """A clock that moves only when a test moves it; pass it as ``clock``.

    :param now: the first time, aware UTC; by default 2026-01-01T00:00:00Z.
    """

    def __init__(self, now: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **length: float) -> None:
        """Move the clock forward.

        :param length: arguments of ``timedelta``, such as ``seconds=30``.
        """
        self.now += timedelta(**length)


class Inbox:
    """A sender that keeps the messages: ``otp.sender(channel)(inbox)``.

    :ivar received: pairs of user and message, oldest first.
    """

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
