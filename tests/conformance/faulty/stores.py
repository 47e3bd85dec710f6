"""Faults of a store that forgets to check or to count."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from typing import Final

from flask_otp_mpp.core.clock import Clock
from flask_otp_mpp.core.policy import Policy
from flask_otp_mpp.core.reasons import Reason
from flask_otp_mpp.stores import Attempt, Challenge, Draft, MemoryStore, Outcome
from tests.conformance.faulty.fault import FaultList

FAULTS: Final = FaultList()


@FAULTS.add_store(
    "reusable-code",
    "A code that was accepted is accepted again.",
    "life.once",
    "races.right-among-wrong",
    "races.right-codes",
)
class ReusableCode(MemoryStore):
    def spend(self, attempt: Attempt, policy: Policy) -> Outcome:
        outcome = super().spend(attempt, policy)
        return Outcome(attempt.id) if outcome.reason is Reason.CHALLENGE_USED else outcome


class _OneAtATime(MemoryStore):
    """Let what is changed around a step be one step with it."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.one_at_a_time = threading.Lock()


class _Changed(MemoryStore):
    """Change each challenge that is opened."""

    def reserve(self, draft: Draft, policy: Policy) -> Challenge | Outcome:
        reserved = super().reserve(draft, policy)
        if isinstance(reserved, Outcome):
            return reserved
        changed = self._challenges[reserved.id] = self.changed(reserved)
        return changed

    def changed(self, challenge: Challenge) -> Challenge:
        raise NotImplementedError


@FAULTS.add_store(
    "code-without-end", "A code never expires.", "life.expired", "life.not-longer-by-attempts"
)
class CodeWithoutEnd(_Changed):
    def changed(self, challenge: Challenge) -> Challenge:
        return replace(challenge, expires_at=challenge.expires_at + timedelta(days=1))


@FAULTS.add_store(
    "code-ends-early", "A code expires a minute too early.", "life.just-before-its-end"
)
class CodeEndsEarly(_Changed):
    def changed(self, challenge: Challenge) -> Challenge:
        return replace(challenge, expires_at=challenge.expires_at - timedelta(minutes=1))


@FAULTS.add_store(
    "used-and-wrong",
    "A wrong code for a used challenge is answered as wrong.",
    "life.used-and-wrong",
)
class UsedAndWrong(MemoryStore):
    def spend(self, attempt: Attempt, policy: Policy) -> Outcome:
        outcome = super().spend(attempt, policy)
        used = outcome.reason is Reason.USED_UNMATCHED
        return replace(outcome, reason=Reason.CODE_UNMATCHED) if used else outcome


@FAULTS.add_store(
    "any-code",
    "Any digits are the right code.",
    "answers.seen-attempts-spent",
    "codes.attempts-spent",
    "codes.first-digit",
    "codes.last-attempt",
    "codes.new-code-after-spent",
    "codes.stays-spent",
    "codes.swapped",
    "codes.wrong",
    "happy.after-a-wrong-code",
    "life.used-for-a-new-one",
    "repeats.wrong-code",
    sometimes=("codes.reversed",),
)
class AnyCode(MemoryStore):
    def spend(self, attempt: Attempt, policy: Policy) -> Outcome:
        challenge = self._challenges.get(attempt.id)
        if challenge is not None and attempt.digests:
            attempt = replace(attempt, digests=(challenge.digest,))
        return super().spend(attempt, policy)


@FAULTS.add_store(
    "one-attempt-more",
    "A code has one attempt more than is promised.",
    "codes.attempts-spent",
    "codes.stays-spent",
    "races.wrong-codes",
    "repeats.wrong-code-twice",
)
class OneAttemptMore(_Changed):
    def changed(self, challenge: Challenge) -> Challenge:
        return replace(challenge, tries=challenge.tries + 1)


@FAULTS.add_store(
    "one-attempt-less", "A code has one attempt less than is promised.", "codes.last-attempt"
)
class OneAttemptLess(_Changed):
    def changed(self, challenge: Challenge) -> Challenge:
        return replace(challenge, tries=challenge.tries - 1)


@FAULTS.add_store(
    "right-code-after-too-many",
    "The right code is right when no attempt is left.",
    "codes.attempts-spent",
    "codes.stays-spent",
    "races.wrong-codes-count",
    "repeats.wrong-code-twice",
)
class RightCodeAfterTooMany(MemoryStore):
    def spend(self, attempt: Attempt, policy: Policy) -> Outcome:
        outcome = super().spend(attempt, policy)
        spent = outcome.reason is Reason.TRIES_SPENT
        if spent and self._challenges[attempt.id].matches(attempt):
            return Outcome(attempt.id)
        return outcome


@FAULTS.add_store(
    "attempts-not-counted",
    "A code can be tried without end.",
    "answers.seen-attempts-spent",
    "codes.attempts-spent",
    "codes.stays-spent",
    "codes.wrong-ones-add-up",
    "races.wrong-codes",
    "races.wrong-codes-count",
    "repeats.wrong-code-twice",
)
class AttemptsNotCounted(_OneAtATime):
    def spend(self, attempt: Attempt, policy: Policy) -> Outcome:
        with self.one_at_a_time:
            if (challenge := self._challenges.get(attempt.id)) is not None:
                self._challenges[attempt.id] = replace(challenge, attempts=0)
            self._user_limits.pop(attempt.subject, None)
            return super().spend(attempt, policy)


@FAULTS.add_store(
    "wrong-code-ends",
    "The first wrong code ends its challenge.",
    "answers.seen-attempts-spent",
    "codes.attempts-spent",
    "codes.last-attempt",
    "codes.new-code-after-spent",
    "codes.stays-spent",
    "happy.after-a-wrong-code",
    "repeats.wrong-code",
    sometimes=("races.right-among-wrong",),
)
class WrongCodeEnds(_OneAtATime):
    def spend(self, attempt: Attempt, policy: Policy) -> Outcome:
        with self.one_at_a_time:
            outcome = super().spend(attempt, policy)
            if outcome.reason is Reason.CODE_UNMATCHED:
                challenge = self._challenges[attempt.id]
                self._challenges[attempt.id] = challenge.closed(self._clock())
            return outcome


@FAULTS.add_store(
    "not-superseded", "An older code stays right beside a newer one.", "life.superseded"
)
class NotSuperseded(MemoryStore):
    def reserve(self, draft: Draft, policy: Policy) -> Challenge | Outcome:
        self._latest.clear()
        return super().reserve(draft, policy)


@FAULTS.add_store(
    "closed-by-refused-send",
    "A send that is refused ends the code before it.",
    "sends.too-soon-keeps-the-code",
)
class ClosedByRefusedSend(MemoryStore):
    def reserve(self, draft: Draft, policy: Policy) -> Challenge | Outcome:
        reserved = super().reserve(draft, policy)
        latest = self._latest.get((draft.subject, draft.caller, draft.channel), "")
        if isinstance(reserved, Outcome) and latest and not reserved.repeated:
            self._challenges[latest] = self._challenges[latest].closed(self._clock())
        return reserved


@FAULTS.add_store(
    "sends-not-limited",
    "A user can be sent messages without pause and end.",
    "answers.seen-send-limit",
    "codes.wrong-ones-add-up",
    "races.sends",
    "sends.not-without-end",
    "sends.too-soon",
)
class SendsNotLimited(_OneAtATime):
    def reserve(self, draft: Draft, policy: Policy) -> Challenge | Outcome:
        with self.one_at_a_time:
            self._user_limits.pop(draft.subject, None)
            return super().reserve(draft, policy)
