"""What the SQL store says to its database, in as few statements as the guarantees allow.

The user's row is taken first, by a statement of its own: only a later one sees what the transaction
that was waited for has written. A second one reads everything else, and the time, which is thereby
read after the row was taken. What was decided is written by one statement on PostgreSQL, and by one
for each table elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

import sqlalchemy as sa

from flask_otp_mpp.stores.tables import MYSQL, Moment, challenges, requests, standings

Parameters: TypeAlias = Mapping[str, Any]
Write: TypeAlias = Literal["close", "open", "try", "begin", "count", "remember"]

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
    name: value for name, value in _values(standings, "count").items() if name != "subject"
}

TAKE: Final = sa.select(standings).where(standings.c.subject == _SUBJECT).with_for_update()
PARDON: Final = (
    sa.update(standings)
    .where(standings.c.subject == _SUBJECT)
    .values(failures=0, locks=0, locked_until=None, forget_at=None)
)
WRITES: Final[dict[Write, sa.Insert | sa.Update]] = {
    "close": sa.update(challenges)
    .where(
        challenges.c.id.in_(sa.bindparam("closed_ids", expanding=True)),
        challenges.c.used_at.is_(None),
    )
    .values(closed_at=sa.bindparam("closed_at_moment")),
    "open": sa.insert(challenges).values(_values(challenges, "new")),
    "try": sa.update(challenges)
    .where(challenges.c.id == _ID)
    .values(attempts=sa.bindparam("tried_attempts"), used_at=sa.bindparam("tried_used_at")),
    "begin": sa.insert(standings).values(subject=_SUBJECT, **_COUNTS),
    "count": sa.update(standings).where(standings.c.subject == _SUBJECT).values(_COUNTS),
    "remember": sa.insert(requests).values(_values(requests, "answer")),
}
_ONE_ROW: Final = sa.select(sa.literal_column("1").label("one")).subquery("single")


class Statements:
    """Say things in the words of one kind of database.

    :param backend: the kind, by SQLAlchemy's name of its dialect.
    :param own_time: whether the time is the database's; else each statement that needs it takes it
        as the parameter ``now``.
    """

    def __init__(self, backend: str, *, own_time: bool) -> None:
        now: sa.ColumnElement[datetime] = (
            sa.literal_column(_TIMES[backend], Moment())
            if own_time
            else sa.bindparam("now", type_=Moment())
        )
        self.now = sa.select(now.label("now"))
        known = _ONE_ROW.outerjoin(requests, requests.c.key == _KEY)
        found = [*self.now.selected_columns, *_labels(requests, "request")]
        found += _labels(challenges, "challenge")
        self.claimed = sa.select(*found).select_from(
            known.outerjoin(challenges, challenges.c.id == _ID)
        )
        still_open = sa.and_(
            challenges.c.subject == _SUBJECT,
            challenges.c.caller == sa.bindparam("caller"),
            challenges.c.channel == sa.bindparam("channel"),
            challenges.c.used_at.is_(None),
            challenges.c.closed_at.is_(None),
            challenges.c.expires_at > now,
        )
        self.asked = (
            sa.select(*found)
            .select_from(known.outerjoin(challenges, still_open))
            .order_by(challenges.c.issued_at)
        )
        answer = _values(requests, "answer")
        del answer["key"]
        microseconds = sa.bindparam("keep", type_=sa.BigInteger)
        kept = now.op("+", return_type=Moment())(microseconds)
        answered = (
            sa.update(requests).where(requests.c.key == _KEY).values({**answer, "keep_until": kept})
        )
        failed = (
            sa.update(challenges)
            .where(challenges.c.id == _ID, challenges.c.used_at.is_(None))
            .values(closed_at=now)
        )
        self._one_for_all = backend == "postgresql"
        self._cache: dict[tuple[Write, ...], list[sa.Insert | sa.Update]] = {}
        self.delivered: list[sa.Insert | sa.Update] = [answered]
        self.undelivered = self._together([failed, answered])

    def write(self, *names: Write) -> list[sa.Insert | sa.Update]:
        """Return the statements that write what is named, in that order."""
        if names not in self._cache:
            self._cache[names] = self._together([WRITES[name] for name in names])
        return self._cache[names]

    def _together(self, parts: list[sa.Insert | sa.Update]) -> list[sa.Insert | sa.Update]:
        if not self._one_for_all:
            return parts
        *first, last = parts
        return [last.add_cte(*(part.cte(f"part_{n}") for n, part in enumerate(first)))]
