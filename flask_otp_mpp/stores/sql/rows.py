"""What the SQL store reads and writes is carried over between rows and the values of the core.

A row that was read holds the time, what is remembered of the request, and the challenge.
"""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from typing import Any, Final

from flask_otp_mpp.core import rules
from flask_otp_mpp.core.challenge import Challenge, IdempotencyKey, Outcome, StoredAnswer
from flask_otp_mpp.core.limits import UserLimits
from flask_otp_mpp.core.policy import Policy
from flask_otp_mpp.core.reasons import MAX_DETAIL, Reason
from flask_otp_mpp.stores.sql.sentences import Row
from flask_otp_mpp.stores.sql.tables import requests

_REQUEST: Final = slice(1, 1 + len(requests.columns))
_CHALLENGE: Final = slice(_REQUEST.stop, None)
_FIELDS: Final = tuple(field.name for field in fields(Challenge))


def limits_of(rows: list[Row]) -> UserLimits | None:
    """Return the user's standing; None if there is none yet."""
    if not rows:
        return None
    _, failures, locks, locked_until, forget_at, sends, _ = rows[0]
    return UserLimits(failures, locks, locked_until, forget_at, sends)


def record_of(row: Row) -> StoredAnswer | None:
    """Return what is remembered of a request; None if it is new."""
    key, challenge_id, name, detail, until, _, digest, subject = row[_REQUEST]
    if key is None:
        return None
    reason = None if name is None else Reason[name]
    return StoredAnswer(Outcome(challenge_id, reason, detail, until), digest, subject)


def known(row: Row, request: IdempotencyKey) -> Outcome | None:
    """Return what a request is answered that came before, or one of its name; None if it is new."""
    record = record_of(row)
    return None if record is None else record.answer(request)


def challenge_of(row: Row) -> Challenge | None:
    """Return the challenge in a row of a join; None if nothing was joined."""
    values = row[_CHALLENGE]
    return None if values[0] is None else Challenge(*values)


def challenge_values(challenge: Challenge) -> dict[str, Any]:
    """Return a new challenge."""
    return {f"new_{name}": getattr(challenge, name) for name in _FIELDS}


def outcome_values(outcome: Outcome) -> dict[str, Any]:
    """Return how a request ended."""
    return {
        "answer_challenge_id": outcome.challenge_id,
        "answer_reason": None if outcome.reason is None else outcome.reason.name,
        "answer_detail": outcome.detail[:MAX_DETAIL],
        "answer_until": outcome.until,
    }


def answer_values(
    request: IdempotencyKey, outcome: Outcome, subject: str, now: datetime
) -> dict[str, Any]:
    """Return what is remembered of a request, and until when."""
    return {
        "answer_key": request.value,
        "answer_digest": request.digest,
        "answer_subject": subject,
        "answer_keep_until": now + request.ttl,
        **outcome_values(outcome),
    }


def count_values(subject: str, limits: UserLimits, policy: Policy, now: datetime) -> dict[str, Any]:
    """Return what is counted for a user, and until when it is kept."""
    return {
        "at_subject": subject,
        "count_failures": limits.failures,
        "count_locks": limits.locks,
        "count_locked_until": limits.locked_until,
        "count_forget_at": limits.forget_at,
        "count_sends": limits.sends,
        "count_keep_until": rules.keep_until(limits, policy, now),
    }
