"""The smallest store: the rules of the core, applied to three dictionaries."""

from __future__ import annotations

from collections.abc import Collection

from flask_otp_mpp.core import rules
from flask_otp_mpp.core.challenge import Attempt, Challenge, Draft
from flask_otp_mpp.core.clock import Clock
from flask_otp_mpp.core.idempotency import IdempotencyKey, StoredAnswer
from flask_otp_mpp.core.limits import UserLimits
from flask_otp_mpp.core.policy import Policy
from flask_otp_mpp.core.reasons import Outcome, Reason
from flask_otp_mpp.core.user_record import UserRecord


class Model:
    """The answers that a store must give; it deletes only what a purge must delete."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.challenges: dict[str, Challenge] = {}
        self.user_limits: dict[str, UserLimits] = {}
        self.records: dict[str, StoredAnswer] = {}

    def get_answer(self, request: str) -> StoredAnswer | None:
        return self.records.get(request)

    def reserve(self, draft: Draft, policy: Policy) -> Challenge | Outcome:
        if draft.request.value in self.records:
            return self.records[draft.request.value].answer(draft.request)
        place = (draft.subject, draft.caller, draft.channel)
        decided = rules.reserve(
            draft,
            policy,
            self.clock(),
            limits=self.user_limits.get(draft.subject, UserLimits()),
            open_challenges=[
                found
                for found in self.challenges.values()
                if (found.subject, found.caller, found.channel) == place
            ],
        )
        if isinstance(decided, Outcome):
            return self._note(draft.request, decided, draft.subject)
        for challenge in (*decided.closed, decided.challenge):
            self.challenges[challenge.id] = challenge
        self.user_limits[draft.subject] = decided.limits
        pending = Outcome(decided.challenge.id, Reason.REQUEST_PENDING)
        self._note(draft.request, pending, draft.subject)
        return decided.challenge

    def settle(self, draft: Draft, outcome: Outcome) -> None:
        known = self.records.get(draft.request.value)
        if known is not None and known.subject == draft.subject:
            self._note(draft.request, outcome, draft.subject)
        if outcome.reason is not None and draft.id in self.challenges:
            self.challenges[draft.id] = self.challenges[draft.id].closed(self.clock())

    def spend(self, attempt: Attempt, policy: Policy) -> Outcome:
        if attempt.request.value in self.records:
            return self.records[attempt.request.value].answer(attempt.request)
        decided = rules.spend(
            attempt,
            policy,
            self.clock(),
            limits=self.user_limits.get(attempt.subject, UserLimits()),
            challenge=self.challenges.get(attempt.id),
        )
        if isinstance(decided, Outcome):
            return self._note(attempt.request, decided, attempt.subject)
        self.challenges[attempt.id] = decided.challenge
        self.user_limits[attempt.subject] = decided.limits
        return self._note(attempt.request, decided.outcome, attempt.subject)

    def _note(self, request: IdempotencyKey, outcome: Outcome, subject: str) -> Outcome:
        self.records.pop(request.value, None)
        if request.caches(outcome.reason):
            self.records[request.value] = StoredAnswer(outcome, request.digest, subject)
        return outcome

    def look_up(self, subject: str) -> UserRecord:
        own = [one for one in self.challenges.values() if one.subject == subject]
        limits = self.user_limits.get(subject, UserLimits())
        return UserRecord.of(self.clock(), limits, own)

    def unlock(
        self, subject: str, clients: Collection[str] | None = None, *, quota: bool = False
    ) -> UserLimits | None:
        limits = self.user_limits.get(subject, UserLimits())
        decided = rules.unlock(limits, self.clock(), clients, quota=quota)
        if decided is None:
            return None
        self.user_limits[subject] = decided.limits
        return decided.forgotten

    def forget(self, subject: str) -> None:
        self.user_limits.pop(subject, None)
        for challenge in [c for c in self.challenges.values() if c.subject == subject]:
            del self.challenges[challenge.id]
        for key in [key for key, record in self.records.items() if record.subject == subject]:
            del self.records[key]

    def purge(self, policy: Policy) -> None:
        now = self.clock()
        for challenge in list(self.challenges.values()):
            if challenge.expires_at + policy.retention <= now:
                del self.challenges[challenge.id]
