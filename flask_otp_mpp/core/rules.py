"""What a request does to a challenge and to its user is decided here, in pure functions.

They are the specification. A store loads the values, calls one of them under whatever makes the
step atomic there, and writes back what it returns.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from flask_otp_mpp.core.challenge import Challenge, Claim, Draft, Outcome
from flask_otp_mpp.core.limits import Standing
from flask_otp_mpp.core.policy import Policy, Resend
from flask_otp_mpp.core.reasons import Reason


@dataclass(frozen=True, slots=True)
class Reservation:
    """Grant a send: ``challenge`` is to be delivered, the ``closed`` ones die by it."""

    challenge: Challenge
    closed: tuple[Challenge, ...]
    standing: Standing


@dataclass(frozen=True, slots=True)
class Spending:
    """Report an attempt that was counted, and what it has made of challenge and user."""

    outcome: Outcome
    challenge: Challenge
    standing: Standing


def reserve(
    draft: Draft,
    policy: Policy,
    now: datetime,
    *,
    standing: Standing,
    open_challenges: Iterable[Challenge],
) -> Reservation | Outcome:
    """Decide on a send: check and count the quota, and make, reuse or supersede challenges.

    :param open_challenges: those of the same user, caller and channel that may still live.
    :returns: what changes, or the refusal, by which nothing changes.
    """
    end = standing.lock_at(now) or standing.send_not_before(draft.channel, policy, now)
    if end is not None:
        return Outcome(draft.id, Reason.SEND_LIMITED, until=end)
    standing = standing.sent(draft.channel, policy, now)
    alive = [old for old in open_challenges if old.death(now) is None]
    if alive and policy.resend is Resend.REUSE:
        return Reservation(alive[-1], (), standing)
    fresh = Challenge(
        id=draft.id,
        subject=draft.subject,
        caller=draft.caller,
        channel=draft.channel,
        digest=draft.digest,
        issued_at=now,
        expires_at=now + policy.life,
        tries=policy.tries,
    )
    return Reservation(fresh, tuple(old.closed(now) for old in alive), standing)


def spend(
    claim: Claim,
    policy: Policy,
    now: datetime,
    *,
    standing: Standing,
    challenge: Challenge | None,
) -> Spending | Outcome:
    """Decide on an attempt: count it, compare it, use the challenge up, charge the user.

    The try that empties the tries or the budget is told that it was wrong; the next one is told
    why it can't be right.

    :returns: what changes; or a refusal without a comparison, by which nothing changes: the
        challenge is unknown, foreign or dead, or the user is locked.
    """
    if challenge is None or not challenge.belongs_to(claim):
        return Outcome(claim.id, Reason.CHALLENGE_UNKNOWN)
    if (death := challenge.death(now)) is not None:
        return Outcome(claim.id, death)
    if (end := standing.lock_at(now)) is not None:
        return Outcome(claim.id, Reason.USER_LOCKED, until=end)
    tried = challenge.tried(claim, now)
    if tried.used_at is not None:
        return Spending(Outcome(claim.id), tried, standing.pardoned())
    charged = standing.failed(policy, now)
    wrong = Outcome(claim.id, Reason.CODE_UNMATCHED, until=charged.lock_at(now))
    return Spending(wrong, tried, charged)


def keep_until(standing: Standing, policy: Policy, now: datetime) -> datetime:
    """Return how long a standing must be kept: as long as a limit, a lock or a code that is known.

    A store may take a user without a standing for one to whom nothing was ever sent.
    """
    known = now + policy.life + policy.retention
    return max(now + policy.send_memory, known, standing.forget_at or now)
