"""What the SQL store reads and writes is carried over between rows and the values of the core."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from flask_otp_mpp.core import rules
from flask_otp_mpp.core.budget import Standing
from flask_otp_mpp.core.challenge import Challenge, Outcome, RequestKey
from flask_otp_mpp.core.policy import Policy
from flask_otp_mpp.core.reasons import MAX_DETAIL, Reason
from flask_otp_mpp.stores.statements import TAKE
from flask_otp_mpp.stores.tables import challenges


def take(db: sa.Connection, subject: str) -> Standing | None:
    """Take the user's row for the rest of the transaction; None if there is none yet.

    SQLite has no rows to take: there BEGIN IMMEDIATE has taken all of them.
    """
    row = db.execute(TAKE, {"at_subject": subject}).first()
    if row is None:
        return None
    return Standing(row.failures, row.locks, row.locked_until, row.forget_at, row.sends)


def recalled(row: sa.Row[Any]) -> Outcome | None:
    """Return the answer that a request got when it first came; None if it is new."""
    if row.request_key is None:
        return None
    reason = None if row.request_reason is None else Reason[row.request_reason]
    return Outcome(
        row.request_challenge_id, reason, row.request_detail, row.request_until, repeated=True
    )


def challenge_of(row: sa.Row[Any]) -> Challenge | None:
    """Return the challenge in a row of a join; None if nothing was joined."""
    if row.challenge_id is None:
        return None
    return Challenge(*(getattr(row, f"challenge_{column.name}") for column in challenges.columns))


def answer_values(
    request: RequestKey, outcome: Outcome, now: datetime | None = None
) -> dict[str, Any]:
    """Return what is remembered of a request; without a time, all but its end."""
    answer = {
        "answer_key": request.value,
        "answer_challenge_id": outcome.challenge_id,
        "answer_reason": None if outcome.reason is None else outcome.reason.name,
        "answer_detail": outcome.detail[:MAX_DETAIL],
        "answer_until": outcome.until,
    }
    return answer if now is None else {**answer, "answer_keep_until": now + request.keep}


def count_values(subject: str, standing: Standing, policy: Policy, now: datetime) -> dict[str, Any]:
    """Return what is counted for a user, and until when it is kept."""
    return {
        "at_subject": subject,
        "count_failures": standing.failures,
        "count_locks": standing.locks,
        "count_locked_until": standing.locked_until,
        "count_forget_at": standing.forget_at,
        "count_sends": standing.sends,
        "count_keep_until": rules.keep_until(standing, policy, now),
    }


def delete(
    table: sa.Table,
    key: sa.Column[str],
    horizon: sa.ColumnElement[bool],
    batch: int,
    db: sa.Connection,
) -> int:
    """Delete at most a batch of what is over; return how many rows that was."""
    # The horizon is asked again on deleting: a row may have been renewed since it was found.
    keys = db.scalars(sa.select(key).where(horizon).limit(batch)).all()
    return db.execute(sa.delete(table).where(key.in_(keys), horizon)).rowcount
