"""The store in memory: all guarantees of a store within one process, until it restarts."""

from __future__ import annotations

import threading
from collections.abc import Collection
from datetime import datetime, timedelta

from flask_otp_mpp.core import rules
from flask_otp_mpp.core.challenge import Attempt, Challenge, Channel, Draft
from flask_otp_mpp.core.clock import Clock, utc_now
from flask_otp_mpp.core.idempotency import IdempotencyKey, StoredAnswer
from flask_otp_mpp.core.limits import UserLimits
from flask_otp_mpp.core.policy import Policy
from flask_otp_mpp.core.ports import check_batch
from flask_otp_mpp.core.reasons import Outcome, Reason
from flask_otp_mpp.core.user_record import UserRecord

_PURGE_EVERY = timedelta(minutes=1)


class MemoryStore:
    """Keep everything in dictionaries behind one lock; for trials, tests and single processes.

    It purges itself about once a minute.
    """

    def __init__(self, clock: Clock = utc_now) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._challenges: dict[str, Challenge] = {}
        self._latest: dict[tuple[str, str, Channel], str] = {}
        self._user_limits: dict[str, tuple[UserLimits, datetime]] = {}
        self._answers: dict[str, tuple[StoredAnswer, datetime]] = {}
        self._purged_at = clock()

    def get_answer(self, request: str) -> StoredAnswer | None:
        with self._lock:
            return self._answers.get(request, (None, None))[0]

    def reserve(self, draft: Draft, policy: Policy) -> Challenge | Outcome:
        with self._lock:
            now = self._clock()
            if now - self._purged_at >= _PURGE_EVERY:
                self._purge(policy, now)
            if (known := self._known(draft.request)) is not None:
                return known
            place = (draft.subject, draft.caller, draft.channel)
            latest = self._challenges.get(self._latest.get(place, ""))
            decided = rules.reserve(
                draft,
                policy,
                now,
                limits=self._limits(draft.subject),
                open_challenges=() if latest is None else (latest,),
            )
            if isinstance(decided, Outcome):
                self._keep_answer(draft.request, decided, draft.subject, now)
                return decided
            for challenge in (*decided.closed, decided.challenge):
                self._challenges[challenge.id] = challenge
            self._latest[place] = decided.challenge.id
            self._keep_limits(draft.subject, decided.limits, policy, now)
            pending = Outcome(decided.challenge.id, Reason.REQUEST_PENDING)
            self._keep_answer(draft.request, pending, draft.subject, now)
            return decided.challenge

    def settle(self, draft: Draft, outcome: Outcome) -> None:
        with self._lock:
            now = self._clock()
            known, _ = self._answers.get(draft.request.value, (None, None))
            if known is not None and known.subject == draft.subject:
                self._keep_answer(draft.request, outcome, draft.subject, now)
            stored = self._challenges.get(draft.id)
            if outcome.reason is not None and stored is not None:
                self._challenges[draft.id] = stored.closed(now)

    def spend(self, attempt: Attempt, policy: Policy) -> Outcome:
        with self._lock:
            now = self._clock()
            if (known := self._known(attempt.request)) is not None:
                return known
            decided = rules.spend(
                attempt,
                policy,
                now,
                limits=self._limits(attempt.subject),
                challenge=self._challenges.get(attempt.id),
            )
            if isinstance(decided, Outcome):
                self._keep_answer(attempt.request, decided, attempt.subject, now)
                return decided
            self._challenges[attempt.id] = decided.challenge
            self._keep_limits(attempt.subject, decided.limits, policy, now)
            self._keep_answer(attempt.request, decided.outcome, attempt.subject, now)
            return decided.outcome

    def look_up(self, subject: str) -> UserRecord:
        with self._lock:
            own = [one for one in self._challenges.values() if one.subject == subject]
            return UserRecord.of(self._clock(), self._limits(subject), own)

    def unlock(
        self, subject: str, clients: Collection[str] | None = None, *, quota: bool = False
    ) -> UserLimits | None:
        with self._lock:
            decided = rules.unlock(self._limits(subject), self._clock(), clients, quota=quota)
            if decided is None:
                return None
            _, keep_until = self._user_limits[subject]
            self._user_limits[subject] = (decided.limits, keep_until)
            return decided.forgotten

    def forget(self, subject: str) -> bool:
        with self._lock:
            challenges = [c for c in self._challenges.values() if c.subject == subject]
            self._drop(challenges)
            limits = self._user_limits.pop(subject, None)
            answers = [key for key, (it, _) in self._answers.items() if it.subject == subject]
            for key in answers:
                del self._answers[key]
            return bool(challenges or limits or answers)

    def purge(self, policy: Policy, *, batch: int = 1000) -> int:
        check_batch(batch)
        with self._lock:
            return self._purge(policy, self._clock())

    def _limits(self, subject: str) -> UserLimits:
        return self._user_limits.get(subject, (UserLimits(), None))[0]

    def _keep_limits(self, subject: str, limits: UserLimits, policy: Policy, now: datetime) -> None:
        self._user_limits[subject] = (limits, rules.keep_until(limits, policy, now))

    def _known(self, request: IdempotencyKey) -> Outcome | None:
        stored, _ = self._answers.get(request.value, (None, None))
        return None if stored is None else stored.answer(request)

    def _keep_answer(
        self, request: IdempotencyKey, outcome: Outcome, subject: str, now: datetime
    ) -> None:
        if request.caches(outcome.reason):
            stored = StoredAnswer(outcome, request.digest, subject)
            self._answers[request.value] = (stored, now + request.ttl)
        else:
            self._answers.pop(request.value, None)

    def _purge(self, policy: Policy, now: datetime) -> int:
        self._purged_at = now
        ended = [c for c in self._challenges.values() if c.expires_at + policy.retention <= now]
        self._drop(ended)
        idle = [
            subject
            for subject, (limits, until) in self._user_limits.items()
            if until <= now and not limits.failures
        ]
        for subject in idle:
            del self._user_limits[subject]
        old = [key for key, (_, until) in self._answers.items() if until <= now]
        for key in old:
            del self._answers[key]
        return len(ended) + len(idle) + len(old)

    def _drop(self, challenges: list[Challenge]) -> None:
        for challenge in challenges:
            del self._challenges[challenge.id]
            place = (challenge.subject, challenge.caller, challenge.channel)
            if self._latest.get(place) == challenge.id:
                del self._latest[place]
