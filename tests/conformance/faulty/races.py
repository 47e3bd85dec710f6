"""Faults of a store that decides in several steps, or works on a repeat once more."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime
from typing import Final

from flask_otp_mpp.core.idempotency import IdempotencyKey, StoredAnswer
from flask_otp_mpp.core.limits import UserLimits
from flask_otp_mpp.core.policy import Policy
from flask_otp_mpp.core.reasons import Reason
from flask_otp_mpp.stores import Attempt, Challenge, Draft, MemoryStore, Outcome
from tests.conformance.faulty.fault import FaultList

FAULTS: Final = FaultList()
_BETWEEN: Final = 0.05
"""Seconds between reading and writing, so that others read what is not yet written."""


class _Slow(MemoryStore):
    """Decide an attempt by what was read a little before."""

    def spend(self, attempt: Attempt, policy: Policy) -> Outcome:
        read = self._challenges.get(attempt.id)
        if read is None or not read.belongs_to(attempt) or read.refusal(self._clock()) is not None:
            return super().spend(attempt, policy)
        time.sleep(_BETWEEN)
        return self.decided(read.matches(attempt), super().spend(attempt, policy))

    def decided(self, matched: bool, outcome: Outcome) -> Outcome:
        raise NotImplementedError


@FAULTS.add_store(
    "success-read-then-write",
    "That a code is used is read first, and written later.",
    "races.right-codes",
)
class SuccessReadThenWrite(_Slow):
    def decided(self, matched: bool, outcome: Outcome) -> Outcome:
        lost = matched and outcome.reason is Reason.CHALLENGE_USED
        return replace(outcome, reason=None) if lost else outcome


@FAULTS.add_store(
    "attempts-read-then-write", "Attempts are read first, and counted later.", "races.wrong-codes"
)
class AttemptsReadThenWrite(_Slow):
    def decided(self, matched: bool, outcome: Outcome) -> Outcome:
        lost = not matched and outcome.reason is Reason.TRIES_SPENT
        return replace(outcome, reason=Reason.CODE_UNMATCHED) if lost else outcome


@FAULTS.add_store(
    "sends-read-then-write", "The limits of sends are read first, and written later.", "races.sends"
)
class SendsReadThenWrite(MemoryStore):
    def reserve(self, draft: Draft, policy: Policy) -> Challenge | Outcome:
        before = self._user_limits.get(draft.subject, (UserLimits(), self._clock()))
        time.sleep(_BETWEEN)
        with self._lock:
            self._user_limits[draft.subject] = before
        return super().reserve(draft, policy)


@FAULTS.add_store(
    "repeats-not-known",
    "An identical request is worked on once more.",
    "repeats.right-code",
    "repeats.send-same-answer",
    "repeats.wrong-code",
)
class RepeatsNotKnown(MemoryStore):
    def get_answer(self, request: str) -> StoredAnswer | None:
        return None

    def _keep_answer(
        self, request: IdempotencyKey, outcome: Outcome, subject: str, now: datetime
    ) -> None:
        """Store nothing."""
