"""The statements of the SQL store, compiled once, and the values that go into and out of rows.

The user's row is locked first, by a statement of its own: only a later one sees what the
transaction that was waited for has written. A second one reads everything else, and the time, which
is thereby read after the row was locked. What was decided is written by one statement a table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, replace
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeAlias

import sqlalchemy as sa
from sqlalchemy.sql.compiler import SQLCompiler

from flask_otp_mpp.core import rules
from flask_otp_mpp.core.challenge import Challenge
from flask_otp_mpp.core.idempotency import IdempotencyKey, StoredAnswer
from flask_otp_mpp.core.limits import UserLimits
from flask_otp_mpp.core.policy import Policy
from flask_otp_mpp.core.reasons import MAX_DETAIL, Outcome, Reason
from flask_otp_mpp.core.user_record import MAX_CHALLENGES, ChallengeRecord, UserRecord
from flask_otp_mpp.stores.sql.dialect import Database, Row
from flask_otp_mpp.stores.sql.schema import challenges, requests, user_limits
from flask_otp_mpp.stores.sql.types import EPOCH, MICROSECOND, Moment

Values: TypeAlias = Mapping[str, Any]
_Statement: TypeAlias = (
    sa.Select[Any] | sa.Select[Any, Any] | sa.Insert | sa.Update | sa.Delete | sa.TextClause
)


class CompiledStatement:
    """One statement in the SQL of one database; SQLAlchemy compiles it once.

    By SQLAlchemy's own execution it would take four times as long as the driver needs on SQLite.

    :ivar text: what the driver is given, with places for values in their order.
    :ivar places: how many of them there are.
    :ivar reads: whether it is answered with rows.
    """

    __slots__ = ("_constants", "_converted", "_writes", "places", "reads", "text")

    def __init__(self, statement: _Statement, dialect: sa.Dialect) -> None:
        compiled: SQLCompiler = statement.compile(dialect=dialect)
        self.text = str(compiled)
        binds = {name: bind for bind, name in compiled.bind_names.items()}
        self._constants = {
            name: bind.effective_value for name, bind in binds.items() if not bind.required
        }
        self._writes = [
            (name, binds[name].type.dialect_impl(dialect).bind_processor(dialect))
            for name in compiled.positiontup or ()
        ]
        self.places = len(self._writes)
        columns = statement.selected_columns if isinstance(statement, sa.Select) else ()
        processes = [
            column.type.dialect_impl(dialect).result_processor(dialect, None) for column in columns
        ]
        self._converted = [(at, process) for at, process in enumerate(processes) if process]
        self.reads = bool(processes)

    def bind(self, values: Values) -> BoundStatement:
        """Return the statement with its values; those of other statements are left out."""
        known = {**self._constants, **values} if self._constants else values
        parameters = [
            known[name] if process is None else process(known[name])
            for name, process in self._writes
        ]
        return BoundStatement(self, parameters)

    def literal(self, literal: Callable[[Any], str], parameters: Iterable[Any]) -> str:
        """Return the text with its values in it."""
        return self.text % tuple(map(literal, parameters))

    def rows(self, fetched: Iterable[Row]) -> list[Row]:
        """Return the values of the columns as the tables' types mean them."""
        found = list(map(list, fetched))
        for row in found:
            for at, process in self._converted:
                row[at] = process(row[at])
        return list(map(tuple, found))


class BoundStatement(NamedTuple):
    """A statement, and its values as the driver takes them, in their order."""

    statement: CompiledStatement
    parameters: list[Any]


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
_UNLOCKED: Final = {name: value for name, value in _COUNTS.items() if name != "keep_until"}
_ONE_ROW: Final = sa.select(sa.literal_column("1").label("one")).subquery("single")


_FIELDS: Final[Mapping[type, tuple[str, ...]]] = {
    kind: tuple(field.name for field in fields(kind))
    for kind in (Challenge, ChallengeRecord, UserLimits)
}


class Statements:
    """The store's statements in the SQL of one database.

    :param own_time: whether the time is the database's; else each statement that needs it takes it
        as the parameter ``now``.
    """

    def __init__(self, database: Database, dialect: sa.Dialect, *, own_time: bool) -> None:
        now: sa.ColumnElement[datetime] = (
            sa.literal_column(database.time or "", Moment())
            if own_time
            else sa.bindparam("now", type_=Moment())
        )
        answered = _ONE_ROW.outerjoin(requests, requests.c.key == _KEY)
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
        ending = {name: answer[name] for name in ("challenge_id", "reason", "detail", "until")}
        kept = now.op("+", return_type=Moment())(sa.bindparam("ttl", type_=sa.BigInteger))
        nothing: Values = {"failures": 0, "clients": ()}
        of_user = user_limits.c.subject == _SUBJECT
        unused = challenges.c.used_at.is_(None)

        def compiled(statement: _Statement) -> CompiledStatement:
            return CompiledStatement(statement, dialect)

        self.now = compiled(sa.select(now.label("now")))
        # A new row holds nothing, so a purge may delete it until something is counted in it.
        ensured = database.insert_if_missing(
            user_limits, {"subject": _SUBJECT, **nothing, "sends": (), "keep_until": EPOCH}
        )
        self.ensure_user = () if ensured is None else (compiled(ensured),)
        self.lock_user = compiled(sa.select(user_limits).where(of_user).with_for_update())
        self.insert_user = compiled(sa.insert(user_limits).values(subject=_SUBJECT, **_COUNTS))
        self.count = compiled(sa.update(user_limits).where(of_user).values(_COUNTS))
        self.unlock = compiled(sa.update(user_limits).where(of_user).values(_UNLOCKED))
        self.answer = compiled(sa.select(*found).select_from(answered))
        self.put_answer = compiled(sa.insert(requests).values(answer))
        of_send = sa.and_(requests.c.key == _KEY, requests.c.subject == _SUBJECT)
        self.end_answer = compiled(
            sa.update(requests).where(of_send).values(**ending, keep_until=kept)
        )
        self.forget_answer = compiled(sa.delete(requests).where(of_send))
        self.for_attempt = compiled(
            sa.select(*both).select_from(answered.outerjoin(challenges, challenges.c.id == _ID))
        )
        self.for_send = compiled(
            sa.select(*both)
            .select_from(answered.outerjoin(challenges, still_open))
            .order_by(challenges.c.issued_at)
        )
        self.open = compiled(sa.insert(challenges).values(_values(challenges, "new")))
        self.close = compiled(
            sa.update(challenges)
            .where(challenges.c.id == sa.bindparam("closed_id"), unused)
            .values(closed_at=sa.bindparam("closed_at_moment"))
        )
        sent, asked = challenges.c.subject == _SUBJECT, requests.c.subject == _SUBJECT
        held = [user_limits.c[name] for name in _FIELDS[UserLimits]]
        told = [challenges.c[name] for name in _FIELDS[ChallengeRecord]]
        self.look_up = compiled(
            sa.select(now.label("now"), *held, *told)
            .select_from(_ONE_ROW.outerjoin(user_limits, of_user).outerjoin(challenges, sent))
            .order_by(challenges.c.issued_at.desc(), challenges.c.id.desc())
            .limit(MAX_CHALLENGES)
        )
        self.other_rows = compiled(sa.select(sa.exists().where(sent), sa.exists().where(asked)))
        self.forget_challenges = compiled(sa.delete(challenges).where(sent))
        self.forget_requests = compiled(sa.delete(requests).where(asked))
        self.forget_user = compiled(sa.delete(user_limits).where(of_user))
        self.fail = compiled(
            sa.update(challenges).where(challenges.c.id == _ID, unused).values(closed_at=now)
        )
        self.count_attempt = compiled(
            sa.update(challenges)
            .where(challenges.c.id == _ID)
            .values(attempts=sa.bindparam("tried_attempts"), used_at=sa.bindparam("tried_used_at"))
        )


def expired(policy: Policy, now: datetime) -> list[tuple[sa.Column[str], sa.ColumnElement[bool]]]:
    """Return for each table its key, and which of its rows a purge deletes."""
    return [
        (challenges.c.id, challenges.c.expires_at <= now - policy.retention),
        (requests.c.key, requests.c.keep_until <= now),
        (
            user_limits.c.subject,
            sa.and_(user_limits.c.failures == 0, user_limits.c.keep_until <= now),
        ),
    ]


# A row that was read holds the time, the answer to the request, and the challenge.
_REQUEST: Final = slice(1, 1 + len(requests.columns))
_CHALLENGE: Final = slice(_REQUEST.stop, None)


def limits_of(rows: list[Row]) -> UserLimits | None:
    """Return what is counted for the user; None if there is no row."""
    return UserLimits(*rows[0][1:-1]) if rows else None  # without subject and keep_until


def answer_of(row: Row) -> StoredAnswer | None:
    """Return the answer to a request; None if the request is new."""
    key, challenge_id, name, detail, until, _, digest, subject = row[_REQUEST]
    if key is None:
        return None
    reason = None if name is None else Reason[name]
    return StoredAnswer(Outcome(challenge_id, reason, detail, until), digest, subject)


def repeated(row: Row, request: IdempotencyKey) -> Outcome | None:
    """Return the answer to a repeat, or a conflict with one; None if the request is new."""
    stored = answer_of(row)
    return None if stored is None else stored.answer(request)


def challenges_of(rows: list[Row]) -> list[Challenge]:
    """Return the challenges in rows of a join."""
    found = [row[_CHALLENGE] for row in rows]
    return [Challenge(*values) for values in found if values[0] is not None]


def record_of(rows: list[Row]) -> UserRecord:
    """Return what was read of a user: a row for each challenge, the newest first.

    A delivery that is refused locks no row, so it may close a challenge while the right code for it
    is compared; that one is used then.
    """
    now, *held = rows[0]
    width = len(_FIELDS[UserLimits])
    limits = UserLimits() if held[0] is None else UserLimits(*held[:width])
    told = [row[1 + width :] for row in reversed(rows)]
    found = [ChallengeRecord(*values) for values in told if values[0] is not None]
    challenges = (one if one.used_at is None else replace(one, closed_at=None) for one in found)
    return UserRecord(now, limits, tuple(challenges))


def outcome_values(request: IdempotencyKey, outcome: Outcome) -> dict[str, Any]:
    """Return the values of how a request ended."""
    return {
        "ttl": request.ttl // MICROSECOND,
        "answer_challenge_id": outcome.challenge_id,
        "answer_reason": None if outcome.reason is None else outcome.reason.name,
        "answer_detail": outcome.detail[:MAX_DETAIL],
        "answer_until": outcome.until,
    }


def answer_values(
    request: IdempotencyKey, outcome: Outcome, subject: str, now: datetime
) -> dict[str, Any]:
    """Return the values of a stored answer."""
    return {
        "answer_key": request.value,
        "answer_digest": request.digest,
        "answer_subject": subject,
        "answer_keep_until": now + request.ttl,
        **outcome_values(request, outcome),
    }


def count_values(subject: str, limits: UserLimits, policy: Policy, now: datetime) -> dict[str, Any]:
    """Return the values of what is counted for a user, and until when it is kept."""
    keep_until = rules.keep_until(limits, policy, now)
    return {"at_subject": subject, "count_keep_until": keep_until, **values_of(limits, "count")}


def values_of(stored: Challenge | UserLimits, prefix: str) -> dict[str, Any]:
    """Return the values of all fields."""
    return {f"{prefix}_{name}": getattr(stored, name) for name in _FIELDS[type(stored)]}
