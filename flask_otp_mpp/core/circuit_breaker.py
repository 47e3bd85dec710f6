"""A circuit breaker: a service that fails, or is silent, holds only a few threads of the host."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Final, Self

FAILURES: Final = 5
"""How many calls in a row fail before the service is not called for a while."""
OPEN_SECONDS: Final = 1.0
"""For how long it is not called. Then one call at a time finds out whether it is back."""
SILENT_SECONDS: Final = 0.6
"""After which a service is silent: many calls are at work, and none has succeeded since."""


class CircuitBreaker:
    """Call a service within ``with breaker:``, unless it is known to fail or to be silent.

    :param service: its name, for errors.
    :param threads: how many calls may be at work while the service is silent.
    :param failure: the exception by which a call shows that the service does not answer. Any other
        one is an answer.
    :param refusal: what the breaker raises; by default the same.
    :ivar failed: how many calls have failed, or were not made because of those that had.
    """

    def __init__(
        self,
        service: str,
        threads: int,
        failure: type[Exception],
        refusal: type[Exception] | None = None,
    ) -> None:
        self._service = service
        self._threads = threads
        self._failure = failure
        self._refusal = refusal or failure
        self._lock = threading.Lock()
        self._at_work = 0
        self._answered_at = 0.0  # or, if it was not at work, when it was called
        self._failures = 0
        self._failed_at = 0.0
        self.failed = 0

    @property
    def is_open(self) -> bool:
        """Tell whether the service failed so often that it is not called, or on trial only."""
        return self._failures >= FAILURES

    def __enter__(self) -> Self:
        """Begin a call.

        :raises refusal: at once, if the service is not to be called now.
        """
        now = time.monotonic()
        with self._lock:
            if self._failures >= FAILURES:
                if self._at_work or now - self._failed_at < OPEN_SECONDS:
                    self.failed += 1
                    raise self._refusal(f"{self._service} failed {self._failures} times in a row")
            elif self._at_work >= self._threads and now - self._answered_at > SILENT_SECONDS:
                self.failed += 1
                raise self._refusal(f"{self._service} is silent")
            if not self._at_work:
                self._answered_at = now
            self._at_work += 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: object, _where: TracebackType | None
    ) -> None:
        """End a call."""
        now = time.monotonic()
        with self._lock:
            self._at_work -= 1
            if kind is not None and issubclass(kind, self._failure):
                self._failures += 1
                self.failed += 1
                self._failed_at = now
            else:
                self._failures = 0
                self._answered_at = now
