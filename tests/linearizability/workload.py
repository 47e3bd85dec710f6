"""Random work for a store: a few threads and users, the same for the same number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from random import Random
from typing import Final, TypeAlias

from flask_otp_mpp.core.challenge import Attempt, Challenge, Draft
from flask_otp_mpp.core.idempotency import NOT_COUNTED, IdempotencyKey
from flask_otp_mpp.core.policy import Policy, Resend, SendLimit
from flask_otp_mpp.core.ports import Store
from flask_otp_mpp.core.reasons import Outcome, Reason
from flask_otp_mpp.testing import FrozenClock
from flask_otp_mpp.testing.contract.builders import RIGHT, WRONG, attempt, draft, named, request
from flask_otp_mpp.testing.contract.race import together
from tests.linearizability.history import Recorder, rest

THREADS: Final = 4
STEPS: Final = 2  # each of one or two operations, so that a history stays small
AN_HOUR: Final = timedelta(hours=1)


def policy(resend: Resend) -> Policy:
    """Return small limits, so that a few operations reach each of them."""
    return Policy(
        tries=2,
        resend=resend,
        life=timedelta(seconds=60),
        cool_down=timedelta(),
        send_limits=(SendLimit(3, timedelta(minutes=10)),),
        failure_limit=3,
        retention=timedelta(minutes=20),
    )


@dataclass(frozen=True)
class Send:
    """Reserve a challenge and, if that was granted, end its delivery."""

    draft: Draft
    refusal: Reason | None = None

    def do(self, recorder: Recorder, thread: int) -> None:
        draft = recorder.fresh(self.draft)
        found = recorder.reserve(thread, draft)
        if isinstance(found, Challenge):
            recorder.settle(thread, draft, Outcome(found.id, self.refusal))


@dataclass(frozen=True)
class Try:
    attempt: Attempt

    def do(self, recorder: Recorder, thread: int) -> None:
        recorder.spend(thread, self.attempt)


@dataclass(frozen=True)
class LookUp:
    subject: str

    def do(self, recorder: Recorder, thread: int) -> None:
        recorder.look_up(thread, self.subject)


@dataclass(frozen=True)
class Unlock:
    """Unlock a user, at one client or at all, with the counted sends or without."""

    subject: str
    clients: tuple[str, ...] | None = None
    quota: bool = False

    def do(self, recorder: Recorder, thread: int) -> None:
        recorder.unlock(thread, self.subject, self.clients, quota=self.quota)


@dataclass(frozen=True)
class Forget:
    subject: str

    def do(self, recorder: Recorder, thread: int) -> None:
        recorder.forget(thread, self.subject)


@dataclass(frozen=True)
class Purge:
    def do(self, recorder: Recorder, thread: int) -> None:
        recorder.purge(thread)


@dataclass(frozen=True)
class GetAnswer:
    """Get the stored answer of an idempotency key."""

    request: str

    def do(self, recorder: Recorder, thread: int) -> None:
        recorder.get_answer(thread, self.request)


Step: TypeAlias = Send | Try | LookUp | Unlock | Forget | Purge | GetAnswer


def run(recorder: Recorder, programs: Sequence[Sequence[Step]]) -> None:
    """Let each thread do its steps; all begin at the same time."""

    def follow(thread: int, steps: Sequence[Step]) -> None:
        for step in steps:
            step.do(recorder, thread)

    work: list[Callable[[], None]] = [
        partial(follow, thread, steps) for thread, steps in enumerate(programs, start=1)
    ]
    together(work)


def record(
    store: Store, clock: FrozenClock, number: int, pause: Callable[[], object] = rest
) -> Recorder:
    """Record one history: a few steps one after another, and then all threads at once.

    :param pause: called where a store decides.
    """
    chance = Random(number)
    recorder = Recorder(store, policy(chance.choice(list(Resend))), pause)
    store.purge(recorder.policy)
    users = [f"{name} {number}" for name in ("alice", "alice", "alice", "bob")]
    drafts = [draft(user, key=_key(chance, number)) for user in users]
    wrong = Try(attempt(drafts[0].id, WRONG, subject=drafts[0].subject))
    match chance.choice(("nothing", "a send", "an old failure", "two failures", "two sends")):
        case "a send":
            run(recorder, [[Send(drafts[0])]])
        case "an old failure":
            # Requests are repeated, and keys are used, only while they are fresh.
            old = replace(drafts[0], request=request())
            run(recorder, [[Send(old), wrong]])
            clock.now += AN_HOUR
            recorder.tick(clock.now, [old.id])
            drafts.append(old)
            drafts[0] = draft(users[0], key=_key(chance, number))
        case "two failures":
            again = Try(attempt(drafts[0].id, WRONG, subject=drafts[0].subject))
            run(recorder, [[Send(drafts[0]), wrong, again, Send(drafts[1])]])
        case "two sends":
            run(recorder, [[Send(drafts[0]), Send(drafts[1])]])
    attempts = [_attempt(chance, drafts, _key(chance, number)) for _ in range(5)]
    run(
        recorder,
        [[_step(chance, drafts[:4], attempts) for _ in range(STEPS)] for _ in range(THREADS)],
    )
    return recorder


def _key(chance: Random, number: int) -> IdempotencyKey:
    """Return one of two chosen keys for every third request, so that requests share a key."""
    if chance.randrange(3):
        return request()
    not_cached = chance.choice(
        (frozenset[Reason](), NOT_COUNTED, frozenset({Reason.DELIVERY_REFUSED}))
    )
    return named(f"{chance.choice('ab')} {number}", request().value, not_cached)


def _attempt(chance: Random, drafts: Sequence[Draft], key: IdempotencyKey) -> Attempt:
    known = chance.choice((*drafts[:2], *drafts))
    return attempt(known.id, chance.choice((RIGHT, WRONG, WRONG)), subject=known.subject, key=key)


def _step(chance: Random, drafts: Sequence[Draft], attempts: Sequence[Attempt]) -> Step:
    kinds = ("send", "repeat", "try", "get_answer", "other", "look_up", "unlock", "forget", "purge")
    kind = chance.choices(kinds, (4, 1, 6, 1, 1, 1, 1, 1, 1))[0]
    asked = chance.choice(drafts)
    match kind:
        case "send":
            refusal = chance.choice((None, None, Reason.DELIVERY_REFUSED))
            return Send(asked, refusal)
        case "repeat":
            return Send(draft(asked.subject, key=asked.request))
        case "try":
            # The same attempt again is the same request; a copy of it is another one.
            known = chance.choice(attempts)
            return Try(
                chance.choice((known, attempt(known.id, *known.digests, subject=known.subject)))
            )
        case "get_answer" if asked.request.chosen_by_caller:
            return GetAnswer(asked.request.value)
        case "other" if asked.request.chosen_by_caller:
            # The same key for another request of another user. A real digest covers the user too.
            key = replace(asked.request, digest=f"other than {asked.subject}")
            return Send(draft(f"not {asked.subject}", key=key))
        case "look_up":
            return LookUp(asked.subject)
        case "unlock":
            clients = chance.choice((None, (asked.client,), ("another client",)))
            return Unlock(asked.subject, clients, chance.choice((False, True)))
        case "forget":
            return Forget(asked.subject)
    return Purge()
