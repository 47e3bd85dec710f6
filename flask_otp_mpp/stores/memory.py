"""One process's memory keeps all promises of a store but one: a restart forgets them."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from flask_otp_mpp.core import rules
from flask_otp_mpp.core.budget import Standing
from flask_otp_mpp.core.challenge import Challenge, Channel, Claim, Draft, Outcome, RequestKey
from flask_otp_mpp.core.policy import Policy
from flask_otp_mpp.core.ports import Clock, utc_now
from flask_otp_mpp.core.reasons import Reason

_SWEEP = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class _Record:
    outcome: Outcome
    keep_until: datetime


class MemoryStore:
    """Keep everything in dictionaries behind one lock; for trials, tests and single processes.

    It purges itself about once a minute.
    """

    def __init__(self, clock: Clock = utc_now) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._challenges: dict[str, Challenge] = {}
        self._latest: dict[tuple[str, str, Channel], str] = {}
        self._standings: dict[str, tuple[Standing, datetime]] = {}
        self._records: dict[str, _Record] = {}
        self._swept_at = clock()

    def reserve(self, draft: Draft, policy: Policy) -> Challenge | Outcome:
        with self._lock:
            now = self._clock()
            if now - self._swept_at >= _SWEEP:
                self._sweep(policy, now)
            if (known := self._records.get(draft.request.value)) is not None:
                return replace(known.outcome, repeated=True)
            place = (draft.subject, draft.caller, draft.channel)
            latest = self._challenges.get(self._latest.get(place, ""))
            decided = rules.reserve(
                draft,
                policy,
                now,
                standing=self._standing(draft.subject),
                open_challenges=() if latest is None else (latest,),
            )
            if isinstance(decided, Outcome):
                self._remember(draft.request, decided, now)
                return decided
            for challenge in (*decided.closed, decided.challenge):
                self._challenges[challenge.id] = challenge
            self._latest[place] = decided.challenge.id
            self._keep(draft.subject, decided.standing, policy, now)
            pending = Outcome(decided.challenge.id, Reason.REQUEST_PENDING)
            self._remember(draft.request, pending, now)
            return decided.challenge

    def settle(self, draft: Draft, outcome: Outcome) -> None:
        with self._lock:
            now = self._clock()
            self._remember(draft.request, outcome, now)
            stored = self._challenges.get(draft.id)
            if outcome.reason is not None and stored is not None:
                self._challenges[draft.id] = stored.closed(now)

    def spend(self, claim: Claim, policy: Policy) -> Outcome:
        with self._lock:
            now = self._clock()
            if (known := self._records.get(claim.request.value)) is not None:
                return replace(known.outcome, repeated=True)
            decided = rules.spend(
                claim,
                policy,
                now,
                standing=self._standing(claim.subject),
                challenge=self._challenges.get(claim.id),
            )
            if isinstance(decided, Outcome):
                return decided
            self._challenges[claim.id] = decided.challenge
            self._keep(claim.subject, decided.standing, policy, now)
            self._remember(claim.request, decided.outcome, now)
            return decided.outcome

    def pardon(self, subject: str) -> bool:
        with self._lock:
            standing = self._standing(subject)
            if not standing.blamed(self._clock()):
                return False
            _, keep_until = self._standings[subject]
            self._standings[subject] = (standing.pardoned(), keep_until)
            return True

    def purge(self, policy: Policy, *, batch: int = 1000) -> int:
        with self._lock:
            return self._sweep(policy, self._clock())

    def _standing(self, subject: str) -> Standing:
        return self._standings.get(subject, (Standing(), None))[0]

    def _keep(self, subject: str, standing: Standing, policy: Policy, now: datetime) -> None:
        self._standings[subject] = (standing, rules.keep_until(standing, policy, now))

    def _remember(self, request: RequestKey, outcome: Outcome, now: datetime) -> None:
        self._records[request.value] = _Record(outcome, now + request.keep)

    def _sweep(self, policy: Policy, now: datetime) -> int:
        self._swept_at = now
        dead = [c for c in self._challenges.values() if c.expires_at + policy.retention <= now]
        for challenge in dead:
            del self._challenges[challenge.id]
            place = (challenge.subject, challenge.caller, challenge.channel)
            if self._latest.get(place) == challenge.id:
                del self._latest[place]
        idle = [subject for subject, (_, until) in self._standings.items() if until <= now]
        for subject in idle:
            del self._standings[subject]
        old = [key for key, record in self._records.items() if record.keep_until <= now]
        for key in old:
            del self._records[key]
        return len(dead) + len(idle) + len(old)
