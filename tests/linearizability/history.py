"""Record what threads called on a store, what was returned, and when."""

from __future__ import annotations

import itertools
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from math import inf
from typing import Any, Final, Literal, TypeAlias

from flask_otp_mpp.core.challenge import Attempt, Challenge, Draft
from flask_otp_mpp.core.limits import UserLimits
from flask_otp_mpp.core.policy import Policy
from flask_otp_mpp.core.ports import Store, StoreError
from flask_otp_mpp.core.reasons import Outcome
from flask_otp_mpp.core.user_record import UserRecord
from flask_otp_mpp.testing.contract.agreement import recorded

Verb: TypeAlias = Literal[
    "get_answer",
    "reserve",
    "settle",
    "spend",
    "look_up",
    "unlock",
    "forget",
    "purge",
    "expire",
    "tick",
]
Pause: TypeAlias = Callable[[], object]
A_MOMENT: Final = 0.0005
UNKNOWN: Final = "unknown"
"""The result of a call whose answer was lost: it may have been done, or be done later, or never."""


def rest() -> None:
    """Let other threads run."""
    time.sleep(A_MOMENT)


@dataclass(frozen=True, slots=True)
class Operation:
    """Record one call: it took effect somewhere between two moments of a common order.

    :param result: what was returned; an exception is a result that no store may give.
    :param returned: infinite for what may still happen, or never.
    """

    thread: int
    verb: Verb
    arguments: tuple[Any, ...]
    result: Any
    called: float
    returned: float = inf

    def __str__(self) -> str:
        shown = ", ".join(map(str, self.arguments))
        times = f"{self.called:>4} to {self.returned:<4}"
        return f"{times} thread {self.thread}: {self.verb}({shown}) -> {self.result}"


def in_parts(history: Sequence[Operation], *, claims_apart: bool = False) -> list[Operation]:
    """Take each forget for one deletion of each thing that it deletes, in any order.

    That is what a store promises that has no list of what it holds of a user: what is written
    while it looks may stay. So a look-up reads limits and challenges at two moments.

    :param claims_apart: whether an answer under a key that its caller chose is two things, its
        record and the claim of the key, so that it may be deleted twice. A search takes far longer.
    """
    parts: list[Operation] = []
    for one in history:
        if one.verb == "look_up" and isinstance(one.result, UserRecord):
            for part in ("limits", "challenges"):
                asked = (*one.arguments, part)
                parts.append(replace(one, arguments=asked, result=getattr(one.result, part)))
            continue
        if one.verb != "forget":
            parts.append(one)
            continue
        (subject,) = one.arguments
        work = [it.arguments[0] for it in history if it.verb in ("reserve", "spend")]
        answers = {it.request.value: it.request for it in work if it.subject == subject}
        chosen = [value for value, request in answers.items() if request.chosen_by_caller]
        claims = chosen if claims_apart else []
        for part in ("limits", "challenges", *sorted(answers), *sorted(claims)):
            parts.append(replace(one, arguments=(subject, part)))
    return parts


class _SlowDigests(tuple[bytes, ...]):
    """Digests that pause the store that reads them."""

    pause: Pause

    def __iter__(self) -> Iterator[bytes]:
        self.pause()
        return super().__iter__()


class _SlowPolicy(Policy):
    """A policy that pauses the store that reads it."""

    # Kept beside the fields of the policy, which is frozen.
    pause: Pause

    @property
    def send_memory(self) -> timedelta:
        self.pause()
        return super().send_memory


class Recorder:
    """Call a store, and keep the history of the calls.

    :param pause: called between a store's reading and its writing, where it judges an attempt or a
        send; what can go wrong goes wrong there.
    :param was_lost: whether an error means that an answer was lost, and not that nothing was done.
        Without it, an error is a result that no store may give.
    """

    def __init__(
        self,
        store: Store,
        policy: Policy,
        pause: Pause = rest,
        was_lost: Callable[[StoreError], bool] | None = None,
    ) -> None:
        self.store = store
        self._was_lost = was_lost
        self.pause = pause
        self.policy = _SlowPolicy(
            **{item.name: getattr(policy, item.name) for item in fields(policy)}
        )
        object.__setattr__(self.policy, "pause", self._rest)
        self.history: list[Operation] = []
        self._moments = itertools.count()
        self._now: datetime | None = None
        self._lock = threading.Lock()
        self._ids: dict[str, object] = {}

    def get_answer(self, thread: int, request: str) -> None:
        self._record(thread, "get_answer", (request,), lambda: self.store.get_answer(request))

    def fresh(self, draft: Draft) -> Draft:
        """Give a draft that was handed in before another id: a service makes one each time."""
        mine = object()
        first = self._ids.setdefault(draft.id, mine) is mine
        return draft if first else replace(draft, id=uuid.uuid4().hex)

    def reserve(self, thread: int, draft: Draft) -> Challenge | Outcome:
        def call() -> Challenge | Outcome:
            return self.store.reserve(draft, self.policy)

        found: Challenge | Outcome = self._record(thread, "reserve", (draft,), call)
        return found

    def settle(self, thread: int, draft: Draft, outcome: Outcome) -> None:
        self._record(thread, "settle", (draft, outcome), lambda: self.store.settle(draft, outcome))

    def spend(self, thread: int, attempt: Attempt) -> None:
        digests = _SlowDigests(attempt.digests)
        digests.pause = self.pause
        asked = replace(attempt, digests=digests)
        self._record(thread, "spend", (attempt,), lambda: self.store.spend(asked, self.policy))

    def look_up(self, thread: int, subject: str) -> None:
        def call() -> UserRecord:
            return recorded(self.store.look_up(subject), self.policy)

        self._record(thread, "look_up", (subject,), call)

    def unlock(
        self, thread: int, subject: str, clients: tuple[str, ...] | None, *, quota: bool
    ) -> None:
        """Unlock a user; a send that counts no longer is not recorded: a purge may have come."""

        def call() -> UserLimits:
            forgotten = self.store.unlock(subject, clients, quota=quota) or UserLimits()
            return forgotten if self._now is None else forgotten.current(self.policy, self._now)

        self._record(thread, "unlock", (subject, clients, quota), call)

    def forget(self, thread: int, subject: str) -> None:
        """Forget a user; the result is not recorded: a purge may have come first."""

        def call() -> None:
            self.store.forget(subject)

        self._record(thread, "forget", (subject,), call)

    def purge(self, thread: int) -> None:
        """Purge row by row; how many rows there were is nobody's answer, and not recorded."""

        def call() -> None:
            self.store.purge(self.policy, batch=1)

        self._record(thread, "purge", (), call)

    def tick(self, now: datetime, due: list[str]) -> None:
        """Note that the clock was moved while nothing was asked.

        :param due: challenges that a store may forget from now on, by itself or in a purge that is
            under way: they are what may happen at any time, or never.
        """
        self._now = now
        self._record(0, "tick", (now,), lambda: None)
        for known in due:
            self.history.append(Operation(0, "expire", (known,), None, self._moment()))

    def _rest(self) -> None:
        self.pause()

    def _moment(self) -> int:
        with self._lock:
            return next(self._moments)

    def _record(
        self, thread: int, verb: Verb, arguments: tuple[Any, ...], call: Callable[[], Any]
    ) -> Any:
        called = self._moment()
        try:
            result = call()
        except StoreError as error:
            if self._was_lost is not None:
                if self._was_lost(error):
                    self.history.append(Operation(thread, verb, arguments, UNKNOWN, called))
                raise
            result = error
        except Exception as error:  # noqa: BLE001 - shown by the checker, which never expects one
            result = error
        self.history.append(Operation(thread, verb, arguments, result, called, self._moment()))
        return result
