"""What a request does to a challenge and to its user's limits, as pure functions.

They are the specification of every store. A store loads the values, calls one of them inside its
atomic step, and writes back what it returns.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from flask_otp_mpp.core.challenge import Attempt, Challenge, Draft
from flask_otp_mpp.core.limits import UserLimits, is_among
from flask_otp_mpp.core.policy import Policy, Resend
from flask_otp_mpp.core.reasons import Outcome, Reason


@dataclass(frozen=True, slots=True)
class Reservation:
    """A send that is granted: deliver ``challenge``; the challenges ``closed`` are closed by it."""

    challenge: Challenge
    closed: tuple[Challenge, ...]
    limits: UserLimits


@dataclass(frozen=True, slots=True)
class CountedAttempt:
    """An attempt that was counted, and the new challenge and limits."""

    outcome: Outcome
    challenge: Challenge
    limits: UserLimits


@dataclass(frozen=True, slots=True)
class Unlock:
    """An unlock that changes something: what is forgotten, and the limits that are left."""

    forgotten: UserLimits
    limits: UserLimits


def reserve(
    draft: Draft,
    policy: Policy,
    now: datetime,
    *,
    limits: UserLimits,
    open_challenges: Iterable[Challenge],
) -> Reservation | Outcome:
    """Decide on a send: check and count the limits; make, reuse or close challenges.

    :param open_challenges: those of the same user, caller and channel that may still be usable.
    :returns: what changes; or a refusal, and nothing changes.
    """
    channel, client = draft.channel, draft.client
    if (end := limits.lock_at(client, policy, now)) is not None:
        return Outcome(draft.id, Reason.SEND_LOCKED, until=end)
    if (end := limits.send_not_before(channel, client, policy, now)) is not None:
        return Outcome(draft.id, Reason.SEND_LIMITED, until=end)
    limits = limits.with_send(channel, client, policy, now)
    usable = [old for old in open_challenges if old.refusal(now) is None]
    if usable and policy.resend is Resend.REUSE:
        return Reservation(replace(usable[-1], reserved_at=now), (), limits)
    fresh = Challenge(
        id=draft.id,
        subject=draft.subject,
        caller=draft.caller,
        channel=channel,
        digest=draft.digest,
        issued_at=now,
        expires_at=now + policy.life,
        tries=policy.tries,
    )
    return Reservation(fresh, tuple(old.closed(now) for old in usable), limits)


def spend(
    attempt: Attempt,
    policy: Policy,
    now: datetime,
    *,
    limits: UserLimits,
    challenge: Challenge | None,
) -> CountedAttempt | Outcome:
    """Decide on an attempt: count it, compare it, and update challenge and limits.

    The attempt that uses up the tries or starts a lock is answered as a wrong code; the next one
    is answered TRIES_SPENT or USER_LOCKED.

    A code for a challenge that is used is compared, and not counted: it can't succeed any more.

    :returns: what changes; or a refusal, and nothing changes: the challenge is unknown, another
        user's or caller's, or no longer usable, or the user is locked.
    """
    if challenge is None or not challenge.belongs_to(attempt):
        return Outcome(attempt.id, Reason.CHALLENGE_UNKNOWN)
    refusal = challenge.refusal(now)
    if refusal is Reason.CHALLENGE_USED and not challenge.matches(attempt):
        refusal = Reason.USED_UNMATCHED
    if refusal is not None:
        return Outcome(attempt.id, refusal)
    if (end := limits.lock_at(attempt.client, policy, now)) is not None:
        return Outcome(attempt.id, Reason.USER_LOCKED, until=end)
    tried = challenge.tried(attempt, now)
    if tried.used_at is not None:
        return CountedAttempt(Outcome(attempt.id), tried, limits.with_success(attempt.client))
    charged = limits.with_failure(attempt.client, policy, now)
    wrong = Outcome(
        attempt.id, Reason.CODE_UNMATCHED, until=charged.lock_at(attempt.client, policy, now)
    )
    return CountedAttempt(wrong, tried, charged)


def unlock(
    limits: UserLimits,
    now: datetime,
    clients: Collection[str] | None = None,
    *,
    quota: bool = False,
) -> Unlock | None:
    """End locks and forget failures, at all clients or at some; forget sends, if that is asked.

    :param clients: at which clients; None for all. Only then the count over all clients is reset.
    :param quota: whether sends by these clients are forgotten too.
    :returns: None if there is nothing to forget, and nothing changes.
    """
    forgotten = UserLimits(
        limits.failures if clients is None else 0,
        tuple(
            one for one in limits.clients if is_among(one.client, clients) and now < one.forget_at
        ),
        tuple(one for one in limits.sends if quota and is_among(one.client, clients)),
    )
    if forgotten == UserLimits():
        return None
    return Unlock(forgotten, limits.unlocked(clients, quota=quota))


def keep_until(limits: UserLimits, policy: Policy, now: datetime) -> datetime:
    """Return until when a user's limits must be kept: as long as a limit, a lock or a code matters.

    Failures since the last success have no end: a store keeps such a user longer, until a success
    or an unlock. For a store, a user without stored limits is one to whom nothing was ever sent.
    """
    known = now + policy.life + policy.retention
    forgotten = [one.forget_at for one in limits.clients]
    return max(now + policy.send_memory, known, *forgotten)
