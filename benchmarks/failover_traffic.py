"""Traffic during a failover of Redis, and what was broken in it.

Each client has a store of its own, as a process has. All ask for the same few users, so that what
one of them was answered is soon contradicted by another one if it was forgotten.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from typing import Final

from benchmarks.stores import RIGHT, WRONG, attempt, draft
from flask_otp_mpp import RedisStore, StoreError
from flask_otp_mpp.core.challenge import Challenge
from flask_otp_mpp.core.policy import Policy, SendLimit
from flask_otp_mpp.core.reasons import Outcome, Reason
from flask_otp_mpp.stores import StoreOptions

CLIENTS: Final = 8
USERS: Final = 40
POLICY: Final = Policy(
    cool_down=timedelta(seconds=1),
    send_limits=(SendLimit(10_000, timedelta(hours=1)),),
    user_send_limits=(SendLimit(10_000, timedelta(hours=1)),),
    failure_limit=100,
    disable_after=100,
)
ONE_CONNECTION: Final = StoreOptions(pool_size=1)
REOPENED: Final = 0.5
"""Seconds after which half of the clients connect anew, as processes that start."""


@dataclass
class Answers:
    """What all clients were answered."""

    answered: int = 0
    failed: int = 0
    longest_gap: float = 0
    """Seconds in which no request of any client was answered."""
    wins: Counter[str] = field(default_factory=Counter)
    judged: Counter[str] = field(default_factory=Counter)
    sends: dict[str, list[Challenge]] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)

    def broken(self) -> Mapping[str, int]:
        """Count what should not have happened, by the promise."""
        issued = (sorted(one.issued_at for one in sends) for sends in self.sends.values())
        return {
            "codes won twice": sum(max(0, count - 1) for count in self.wins.values()),
            "guesses above the tries": sum(
                max(0, count - POLICY.tries) for count in self.judged.values()
            ),
            "messages too close": sum(
                later - earlier < POLICY.cool_down
                for times in issued
                for earlier, later in pairwise(times)
            ),
            "codes forgotten": len(self.unknown),
        }


class Traffic:
    """Clients that send and verify until they are stopped."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.answers = Answers()
        self._latest: dict[str, Challenge] = {}
        self._lock = threading.Lock()
        self._last_answer = time.monotonic()
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._ask, args=(number,)) for number in range(CLIENTS)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> Answers:
        """Stop the clients; return what they were answered."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()
        self._note_gap()
        return self.answers

    def _ask(self, number: int) -> None:
        chance = random.Random(number)  # noqa: S311 - the same traffic each time
        store = RedisStore(self.url, options=ONE_CONNECTION)
        opened = time.monotonic()
        while not self._stopped.is_set():
            if number % 2 and time.monotonic() - opened > REOPENED:
                store.close()
                store, opened = RedisStore(self.url, options=ONE_CONNECTION), time.monotonic()
            try:
                self._ask_once(store, chance)
            except StoreError:
                self.answers.failed += 1
                time.sleep(0.02)
        store.close()

    def _ask_once(self, store: RedisStore, chance: random.Random) -> None:
        user = f"user {chance.randrange(USERS)}"
        known = self._latest.get(user)
        if known is None or chance.random() < 0.2:
            asked = draft(user)
            found = store.reserve(asked, POLICY)
            with self._lock:
                self._answered()
                if isinstance(found, Challenge):
                    self.answers.sends.setdefault(user, []).append(found)
                    self._latest[user] = found
            if isinstance(found, Challenge):
                store.settle(asked, Outcome(found.id))
            return
        right = chance.random() < 0.4
        outcome = store.spend(attempt(known, RIGHT if right else WRONG), POLICY)
        with self._lock:
            self._answered()
            if outcome.reason in (None, Reason.CODE_UNMATCHED):
                self.answers.judged[known.id] += 1
                self.answers.wins[known.id] += outcome.reason is None
            elif outcome.reason is Reason.CHALLENGE_UNKNOWN:
                self.answers.unknown.add(known.id)

    def _answered(self) -> None:
        self.answers.answered += 1
        self._note_gap()

    def _note_gap(self) -> None:
        now = time.monotonic()
        self.answers.longest_gap = max(self.answers.longest_gap, now - self._last_answer)
        self._last_answer = now
