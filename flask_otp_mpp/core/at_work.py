"""Requests that are at work now in this process, and the repeats that wait for their end."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class _Request:
    """A request at work: the threads that work on it, and how its end is told."""

    threads: int = 0
    ended: threading.Event = field(default_factory=threading.Event)


class RequestsAtWork:
    """Let a few repeats wait for the request that they repeat.

    A repeat that waits holds a thread of the host. So nobody waits for a request that is not at
    work in this process, and no more than a few wait at a time; all others are told at once that
    their request is pending.

    :param waiting: how many may wait at a time.
    :param waiting_for_client: how many of one client may.
    """

    def __init__(self, waiting: int, waiting_for_client: int) -> None:
        self._waiting = waiting
        self._waiting_for_client = waiting_for_client
        self._lock = threading.Lock()
        self._requests: dict[str, _Request] = {}
        self._waiters: Counter[str] = Counter()

    @contextmanager
    def work(self, request: str) -> Iterator[None]:
        """Be at work on a request.

        :param request: the value of its idempotency key.
        """
        with self._lock:
            entry = self._requests.setdefault(request, _Request())
            entry.threads += 1
        try:
            yield
        finally:
            with self._lock:
                entry.threads -= 1
                if entry.threads == 0:
                    del self._requests[request]
                    entry.ended.set()

    def has_ended(self, request: str, client: str, seconds: float) -> bool:
        """Tell whether nobody in this process is at work on a request; wait for that if possible.

        :param client: who waits.
        :param seconds: for how long.
        :returns: False if it is still at work: the time is over, or too many wait.
        """
        with self._lock:
            entry = self._requests.get(request)
            if entry is None:
                return True
            full = self._waiters.total() >= self._waiting
            if full or self._waiters[client] >= self._waiting_for_client:
                return False
            self._waiters[client] += 1
        try:
            return entry.ended.wait(seconds)
        finally:
            with self._lock:
                self._waiters[client] -= 1
                self._waiters += Counter()  # forgets the clients of whom nobody waits
