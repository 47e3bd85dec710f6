"""Stores without a lock: they read, check, compare, and only then write.

One request at a time they keep every promise. They are here to show that the races of the suite
find what such tests can't.
"""

from __future__ import annotations

import os
import pickle
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from flask_otp_mpp.core import rules
from flask_otp_mpp.core.challenge import Attempt, Challenge, Draft
from flask_otp_mpp.core.clock import Clock
from flask_otp_mpp.core.idempotency import IdempotencyKey, StoredAnswer
from flask_otp_mpp.core.limits import UserLimits
from flask_otp_mpp.core.policy import Policy
from flask_otp_mpp.core.ports import check_batch
from flask_otp_mpp.core.reasons import Outcome, Reason
from flask_otp_mpp.core.user_record import UserRecord


class NaiveStore:
    """Keep everything in dictionaries, without a lock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._challenges: dict[str, Challenge] = {}
        self._user_limits: dict[str, tuple[UserLimits, datetime]] = {}
        self._requests: dict[str, tuple[StoredAnswer, datetime]] = {}

    def get_answer(self, request: str) -> StoredAnswer | None:
        return self._requests[request][0] if request in self._requests else None

    def reserve(self, draft: Draft, policy: Policy) -> Challenge | Outcome:
        now = self._clock()
        if known := self._requests.get(draft.request.value):
            return known[0].answer(draft.request)
        place = (draft.subject, draft.caller, draft.channel)
        decided = rules.reserve(
            draft,
            policy,
            now,
            limits=self._limits(draft.subject),
            open_challenges=[
                found
                for found in self._challenges.values()
                if (found.subject, found.caller, found.channel) == place
            ],
        )
        if isinstance(decided, Outcome):
            return self._note(draft.request, decided, draft.subject, now)
        for challenge in (*decided.closed, decided.challenge):
            self._challenges[challenge.id] = challenge
        self._keep(draft.subject, decided.limits, policy, now)
        pending = Outcome(decided.challenge.id, Reason.REQUEST_PENDING)
        self._note(draft.request, pending, draft.subject, now)
        return decided.challenge

    def settle(self, draft: Draft, outcome: Outcome) -> None:
        now = self._clock()
        known = self._requests.get(draft.request.value)
        if known is not None and known[0].subject == draft.subject:
            self._note(draft.request, outcome, draft.subject, now)
        if outcome.reason is not None and draft.id in self._challenges:
            self._challenges[draft.id] = self._challenges[draft.id].closed(now)

    def spend(self, attempt: Attempt, policy: Policy) -> Outcome:
        now = self._clock()
        if known := self._requests.get(attempt.request.value):
            return known[0].answer(attempt.request)
        challenge = self._challenges.get(attempt.id)
        limits = self._limits(attempt.subject)
        decided = rules.spend(attempt, policy, now, limits=limits, challenge=challenge)
        if isinstance(decided, Outcome):
            return self._note(attempt.request, decided, attempt.subject, now)
        self._challenges[attempt.id] = decided.challenge
        self._keep(attempt.subject, decided.limits, policy, now)
        return self._note(attempt.request, decided.outcome, attempt.subject, now)

    def look_up(self, subject: str) -> UserRecord:
        own = [one for one in self._challenges.values() if one.subject == subject]
        return UserRecord.of(self._clock(), self._limits(subject), own)

    def unlock(
        self, subject: str, clients: Collection[str] | None = None, *, quota: bool = False
    ) -> UserLimits | None:
        limits, until = self._user_limits.get(subject, (UserLimits(), self._clock()))
        decided = rules.unlock(limits, self._clock(), clients, quota=quota)
        if decided is None:
            return None
        self._user_limits[subject] = decided.limits, until
        return decided.forgotten

    def forget(self, subject: str) -> bool:
        before = self._size()
        self._challenges = {
            key: found for key, found in list(self._challenges.items()) if found.subject != subject
        }
        self._user_limits.pop(subject, None)
        self._requests = {
            key: kept for key, kept in list(self._requests.items()) if kept[0].subject != subject
        }
        return self._size() != before

    def purge(self, policy: Policy, *, batch: int = 1000) -> int:
        check_batch(batch)
        now = self._clock()
        before = self._size()
        self._challenges = {
            key: found
            for key, found in self._challenges.items()
            if found.expires_at + policy.retention > now
        }
        self._user_limits = {
            key: kept
            for key, kept in self._user_limits.items()
            if kept[1] > now or kept[0].failures
        }
        self._requests = {key: kept for key, kept in self._requests.items() if kept[1] > now}
        return before - self._size()

    def _size(self) -> int:
        return len(self._challenges) + len(self._user_limits) + len(self._requests)

    def _note(
        self, request: IdempotencyKey, outcome: Outcome, subject: str, now: datetime
    ) -> Outcome:
        self._requests.pop(request.value, None)
        if request.caches(outcome.reason):
            record = StoredAnswer(outcome, request.digest, subject)
            self._requests[request.value] = record, now + request.ttl
        return outcome

    def _limits(self, subject: str) -> UserLimits:
        return self._user_limits[subject][0] if subject in self._user_limits else UserLimits()

    def _keep(self, subject: str, limits: UserLimits, policy: Policy, now: datetime) -> None:
        self._user_limits[subject] = limits, rules.keep_until(limits, policy, now)


class OneProcessStore:
    """Keep everything in a file, behind a lock; another process has another lock.

    :param pause: seconds by which the first verb is slow to write what it has decided.
    """

    def __init__(self, file: Path, clock: Clock, pause: float = 0) -> None:
        self.file = file
        self.clock = clock
        self._pause = pause
        self._lock = threading.Lock()

    def get_answer(self, request: str) -> StoredAnswer | None:
        with self._loaded() as store:
            return store.get_answer(request)

    def reserve(self, draft: Draft, policy: Policy) -> Challenge | Outcome:
        with self._loaded() as store:
            return store.reserve(draft, policy)

    def settle(self, draft: Draft, outcome: Outcome) -> None:
        with self._loaded() as store:
            store.settle(draft, outcome)

    def spend(self, attempt: Attempt, policy: Policy) -> Outcome:
        with self._loaded() as store:
            return store.spend(attempt, policy)

    def look_up(self, subject: str) -> UserRecord:
        with self._loaded() as store:
            return store.look_up(subject)

    def unlock(
        self, subject: str, clients: Collection[str] | None = None, *, quota: bool = False
    ) -> UserLimits | None:
        with self._loaded() as store:
            return store.unlock(subject, clients, quota=quota)

    def forget(self, subject: str) -> bool:
        with self._loaded() as store:
            return store.forget(subject)

    def purge(self, policy: Policy, *, batch: int = 1000) -> int:
        with self._loaded() as store:
            return store.purge(policy, batch=batch)

    @contextmanager
    def _loaded(self) -> Iterator[NaiveStore]:
        with self._lock:
            store = NaiveStore(self.clock)
            if self.file.exists():
                store.__dict__.update(pickle.loads(self.file.read_bytes()))
            yield store
            time.sleep(self._pause)
            self._pause = 0
            kept = {name: value for name, value in vars(store).items() if name != "_clock"}
            written = self.file.with_suffix(f".{os.getpid()}")
            written.write_bytes(pickle.dumps(kept))
            written.replace(self.file)
