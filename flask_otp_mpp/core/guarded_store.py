"""A store as requests use it: left alone while it does not answer, and told the end of a send."""

from __future__ import annotations

import time
from typing import Final

from flask_otp_mpp.core.challenge import Attempt, Challenge, Draft
from flask_otp_mpp.core.circuit_breaker import CircuitBreaker
from flask_otp_mpp.core.deadline import ANSWER_SECONDS, answer_within, seconds_left
from flask_otp_mpp.core.idempotency import StoredAnswer
from flask_otp_mpp.core.policy import Policy
from flask_otp_mpp.core.ports import RequestStore, StoreError, StoreUnavailable
from flask_otp_mpp.core.reasons import Outcome
from flask_otp_mpp.core.trace import Part, count_retry, timed

SETTLE_SECONDS: Final = 0.8
"""How long the end of a delivery is tried to be stored at least, however late it is."""
_FIRST_PAUSE: Final = 0.05


class GuardedStore:
    """Call a store through a circuit breaker.

    :param threads: how many threads may wait for a store that is silent.
    :ivar breaker: leaves the store alone while it fails.
    """

    def __init__(self, store: RequestStore, threads: int) -> None:
        self._store = store
        self.breaker = CircuitBreaker("the OTP store", threads, StoreUnavailable)

    def get_answer(self, request: str) -> StoredAnswer | None:
        with timed(Part.STORE), self.breaker:
            return self._store.get_answer(request)

    def reserve(self, draft: Draft, policy: Policy) -> Challenge | Outcome:
        with timed(Part.STORE), self.breaker:
            return self._store.reserve(draft, policy)

    def settle(self, draft: Draft, outcome: Outcome) -> None:
        """Store how a delivery ended; try again for as long as the caller waits.

        The message is out. If its end is not stored, every repeat is answered that the end is
        unknown. To store it twice is the same as once.
        """
        pause = _FIRST_PAUSE
        seconds = max(SETTLE_SECONDS, seconds_left(ANSWER_SECONDS))
        with timed(Part.STORE), answer_within(seconds):
            while True:
                try:
                    return self._store.settle(draft, outcome)
                except StoreError:
                    if seconds_left(pause) < pause:
                        raise
                count_retry()
                time.sleep(pause)
                pause *= 2

    def spend(self, attempt: Attempt, policy: Policy) -> Outcome:
        with timed(Part.STORE), self.breaker:
            return self._store.spend(attempt, policy)
