"""What the SQL store says to its database, in as few statements as the guarantees allow.

The user's row is taken first, by a statement of its own: only a later one sees what the transaction
that was waited for has written. A second one reads everything else, and the time, which is thereby
read after the row was taken. What was decided is written by one statement for each table.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

import sqlalchemy as sa

from flask_otp_mpp.stores.sql.sentences import Sentence, Statement
from flask_otp_mpp.stores.sql.tables import MYSQL, Moment, challenges, requests, user_limits

Write: TypeAlias = Literal[
    "unlock", "close", "open", "try", "begin", "count", "put_answer", "forget", "answer", "fail"
]

# Microseconds since the epoch. On PostgreSQL now() would be the beginning of the transaction; on
# MySQL a local time would have an hour twice a year that it can't tell from the next.
_TIMES: Final = {
    "postgresql": "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)",
    **dict.fromkeys(MYSQL, "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))"),
}


def _values(table: sa.Table, prefix: str) -> dict[str, sa.BindParameter[Any]]:
    return {name: sa.bindparam(f"{prefix}_{name}") for name in table.c.keys()}  # noqa: SIM118


def _labels(table: sa.Table, prefix: str) -> list[sa.Label[Any]]:
    return [column.label(f"{prefix}_{column.name}") for column in table.columns]


_SUBJECT: Final[sa.BindParameter[str]] = sa.bindparam("at_subject")
_KEY: Final[sa.BindParameter[str]] = sa.bindparam("at_key")
_ID: Final[sa.BindParameter[str]] = sa.bindparam("at_challenge")
_COUNTS: Final = {
    name: value for name, value in _values(user_limits, "count").items() if name != "subject"
}

_WRITES: Final[dict[Write, Statement]] = {
    "unlock": sa.update(user_limits)
    .where(user_limits.c.subject == _SUBJECT)
    .values(failures=0, locks=0, locked_until=None, forget_at=None),
    "close": sa.update(challenges)
    .where(
        challenges.c.id == sa.bindparam("closed_id"),
        challenges.c.used_at.is_(None),
    )
    .values(closed_at=sa.bindparam("closed_at_moment")),
    "open": sa.insert(challenges).values(_values(challenges, "new")),
    "try": sa.update(challenges)
    .where(challenges.c.id == _ID)
    .values(attempts=sa.bindparam("tried_attempts"), used_at=sa.bindparam("tried_used_at")),
    "begin": sa.insert(user_limits).values(subject=_SUBJECT, **_COUNTS),
    "count": sa.update(user_limits).where(user_limits.c.subject == _SUBJECT).values(_COUNTS),
    "put_answer": sa.insert(requests).values(_values(requests, "answer")),
    "forget": sa.delete(requests).where(requests.c.key == _KEY),
}
_ONE_ROW: Final = sa.select(sa.literal_column("1").label("one")).subquery("single")


class Statements:
    """Say things in the words of one kind of database.

    :param own_time: whether the time is the database's; else each statement that needs it takes it
        as the parameter ``now``.
    """

    def __init__(self, dialect: sa.Dialect, *, own_time: bool) -> None:
        now: sa.ColumnElement[datetime] = (
            sa.literal_column(_TIMES[dialect.name], Moment())
            if own_time
            else sa.bindparam("now", type_=Moment())
        )
        known = _ONE_ROW.outerjoin(requests, requests.c.key == _KEY)
        found = [now.label("now"), *_labels(requests, "request")]
        both = [*found, *_labels(challenges, "challenge")]
        still_open = sa.and_(
            challenges.c.subject == _SUBJECT,
            challenges.c.caller == sa.bindparam("caller"),
            challenges.c.channel == sa.bindparam("channel"),
            challenges.c.used_at.is_(None),
            challenges.c.closed_at.is_(None),
            challenges.c.expires_at > now,
        )
        answer = _values(requests, "answer")
        kept = now.op("+", return_type=Moment())(sa.bindparam("keep", type_=sa.BigInteger))

        self._dialect = dialect
        self.take = self._said(
            sa.select(user_limits).where(user_limits.c.subject == _SUBJECT).with_for_update()
        )
        self.now = self._said(sa.select(now.label("now")))
        self.known = self._said(sa.select(*found).select_from(known))
        self.claimed = self._said(
            sa.select(*both).select_from(known.outerjoin(challenges, challenges.c.id == _ID))
        )
        self.asked = self._said(
            sa.select(*both)
            .select_from(known.outerjoin(challenges, still_open))
            .order_by(challenges.c.issued_at)
        )
        writes: dict[Write, Statement] = {
            **_WRITES,
            "answer": sa.update(requests)
            .where(requests.c.key == _KEY)
            .values(
                challenge_id=answer["challenge_id"],
                reason=answer["reason"],
                detail=answer["detail"],
                until=answer["until"],
                keep_until=kept,
            ),
            "fail": sa.update(challenges)
            .where(challenges.c.id == _ID, challenges.c.used_at.is_(None))
            .values(closed_at=now),
        }
        self._writes = {name: self._said(statement) for name, statement in writes.items()}

    def write(self, *names: Write) -> list[Sentence]:
        """Return what writes all that is named, in that order."""
        return [self._writes[name] for name in names]

    def _said(self, statement: Statement) -> Sentence:
        return Sentence(statement, self._dialect)
