"""Each verb is one short transaction on connections of our own, and none joins the host's session.

A transaction first takes the user's row, which makes the verbs of one user follow one another on
every database; what it then reads can't change under it, and the pure functions of
:mod:`flask_otp_mpp.core.rules` decide. Statements of a verb, BEGIN and COMMIT not counted:

=========================== ============ =============== ========
verb                        PostgreSQL   MySQL, MariaDB  SQLite
=========================== ============ =============== ========
reserve, granted            3            5               5
reserve, superseding one    3            6               6
reserve, refused            3            3               3
spend, compared             3            5               5
spend, not compared         2            2               2
settle, delivered           1            1               1
settle, refused             1            2               2
pardon                      3            3               2
=========================== ============ =============== ========

A request that is repeated needs 2 everywhere. PyMySQL needs no BEGIN.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError

from flask_otp_mpp.core import rules
from flask_otp_mpp.core.budget import Standing
from flask_otp_mpp.core.challenge import Challenge, Claim, Draft, Outcome
from flask_otp_mpp.core.policy import Policy
from flask_otp_mpp.core.ports import Clock, StoreError, utc_now
from flask_otp_mpp.core.reasons import Reason
from flask_otp_mpp.stores import checks, schema
from flask_otp_mpp.stores.connections import connect, error_code
from flask_otp_mpp.stores.rows import (
    answer_values,
    challenge_of,
    count_values,
    delete,
    recalled,
    take,
)
from flask_otp_mpp.stores.statements import PARDON, Statements, Write
from flask_otp_mpp.stores.tables import challenges, requests, standings

T = TypeVar("T")
AGAIN_SECONDS: Final = 2
"""A verb that took longer before it was rolled back is not run again: somebody waits for it."""
# A deadlock or a serialization failure, of which the server has rolled back all.
_ROLLED_BACK: Final = {"40001", "40P01", 1213}
_MICROSECOND: Final = timedelta(microseconds=1)


class SQLAlchemyStore:
    """Keep challenges and standings in a SQL database.

    A transaction that was rolled back, or whose connection was lost before COMMIT, is run
    once more; one that failed at COMMIT never, for it may have been done.

    :param url: a SQLAlchemy URL of SQLite, PostgreSQL (psycopg) or MySQL and MariaDB (PyMySQL).
        SQLite must be a file: it is switched to write-ahead logging with full synchronisation, so
        that neither a crash nor a power cut takes back a counted try.
    :param clock: the one clock by which this store judges. Without one, or with the system's
        ``utc_now``, it is the database server's, the same for all hosts; SQLite has no server,
        there it is the machine's.
    :raises ValueError: if the URL can't be used; the message holds no password.
    """

    def __init__(self, url: str, clock: Clock | None = None) -> None:
        self.engine = connect(url)
        self._clock: Clock | None = utc_now if clock is None else clock
        if self._clock is utc_now and self.engine.dialect.name != "sqlite":
            self._clock = None
        self._say = Statements(self.engine.dialect.name, own_time=self._clock is None)

    def create_tables(self) -> None:
        """Create the tables that are missing, and note their revision.

        :raises StoreError: if the database refuses.
        """
        _or_store_error(partial(schema.create, self.engine))

    def upgrade_tables(self) -> None:
        """Bring the tables to the newest revision.

        :raises ModuleNotFoundError: if Alembic is not installed (extra ``migrations``).
        :raises StoreError: if the database refuses.
        """
        _or_store_error(partial(schema.upgrade, self.engine))

    def check(self) -> str:
        """Look whether this store can work: is the database there, new enough, and prepared.

        :returns: what was found, in one line.
        :raises StoreError: naming what was found instead, and what mends it.
        """
        return checks.check(self.engine)

    def reserve(self, draft: Draft, policy: Policy) -> Challenge | Outcome:
        def work(db: sa.Connection) -> Challenge | Outcome:
            taken = take(db, draft.subject)
            place = {"caller": draft.caller, "channel": draft.channel}
            found = self._read(db, self._say.asked, draft, place)
            if (known := recalled(found[0])) is not None:
                return known
            now: datetime = found[0].now
            decided = rules.reserve(
                draft,
                policy,
                now,
                standing=Standing() if taken is None else taken,
                open_challenges=[row for row in map(challenge_of, found) if row is not None],
            )
            if isinstance(decided, Outcome):
                self._write(db, ("remember",), answer_values(draft.request, decided, now))
                return decided
            # Two nodes may insert the same user at once: one fails, and is run again.
            names: list[Write] = ["begin" if taken is None else "count"]
            values: dict[str, Any] = {}
            if decided.closed:
                names.append("close")
                values["closed_ids"] = [old.id for old in decided.closed]
                values["closed_at_moment"] = now
            if decided.challenge.id == draft.id:
                names.append("open")
                fields = asdict(decided.challenge)
                values |= {f"new_{name}": value for name, value in fields.items()}
            pending = Outcome(decided.challenge.id, Reason.REQUEST_PENDING)
            values |= count_values(draft.subject, decided.standing, policy, now)
            values |= answer_values(draft.request, pending, now)
            self._write(db, (*names, "remember"), values)
            return decided.challenge

        return self._transact(work)

    def settle(self, draft: Draft, outcome: Outcome) -> None:
        """Write how a delivery ended; nothing is decided, so the user's row is not taken."""
        # A reused challenge has another id than the draft and stays open.
        say = self._say.delivered if outcome.reason is None else self._say.undelivered
        answer = answer_values(draft.request, outcome)
        ids = {"at_key": answer.pop("answer_key"), "at_challenge": draft.id}
        keep = {"keep": draft.request.keep // _MICROSECOND}

        def work(db: sa.Connection) -> None:
            values = {**ids, **keep, **answer, **self._now()}
            for statement in say:
                db.execute(statement, values)

        self._transact(work)

    def spend(self, claim: Claim, policy: Policy) -> Outcome:
        def work(db: sa.Connection) -> Outcome:
            taken = take(db, claim.subject)
            found = self._read(db, self._say.claimed, claim, {"at_challenge": claim.id})[0]
            if (known := recalled(found)) is not None:
                return known
            if taken is None:  # nothing was sent to this user for long
                return Outcome(claim.id, Reason.CHALLENGE_UNKNOWN)
            now: datetime = found.now
            decided = rules.spend(claim, policy, now, standing=taken, challenge=challenge_of(found))
            if isinstance(decided, Outcome):
                return decided
            tried = decided.challenge
            values = {
                "at_challenge": tried.id,
                "tried_attempts": tried.attempts,
                "tried_used_at": tried.used_at,
                **count_values(claim.subject, decided.standing, policy, now),
                **answer_values(claim.request, decided.outcome, now),
            }
            self._write(db, ("count", "try", "remember"), values)
            return decided.outcome

        return self._transact(work)

    def pardon(self, subject: str) -> bool:
        def work(db: sa.Connection) -> bool:
            standing = take(db, subject)
            if standing is None or not standing.blamed(self._time(db)):
                return False
            db.execute(PARDON, {"at_subject": subject})
            return True

        return self._transact(work)

    def purge(self, policy: Policy, *, batch: int = 1000) -> int:
        now = self._transact(self._time)
        total = 0
        for table, key, horizon in (
            (challenges, challenges.c.id, challenges.c.expires_at <= now - policy.retention),
            (requests, requests.c.key, requests.c.keep_until <= now),
            (standings, standings.c.subject, standings.c.keep_until <= now),
        ):
            deleted = batch
            while deleted == batch:
                deleted = self._transact(partial(delete, table, key, horizon, batch))
                total += deleted
        return total

    def _now(self) -> dict[str, datetime]:
        return {} if self._clock is None else {"now": self._clock()}

    def _time(self, db: sa.Connection) -> datetime:
        if self._clock is not None:
            return self._clock()
        now: datetime = db.execute(self._say.now).scalar_one()
        return now

    def _read(
        self,
        db: sa.Connection,
        statement: sa.Select[Any],
        asked: Draft | Claim,
        more: Mapping[str, Any],
    ) -> list[sa.Row[Any]]:
        values = {"at_subject": asked.subject, "at_key": asked.request.value}
        return list(db.execute(statement, {**values, **more, **self._now()}))

    def _write(
        self, db: sa.Connection, names: tuple[Write, ...], values: Mapping[str, Any]
    ) -> None:
        for statement in self._say.write(*names):
            db.execute(statement, values)

    def _transact(self, work: Callable[[sa.Connection], T]) -> T:
        began = time.monotonic()

        def run() -> T:
            try:
                return self._once(work)
            except DBAPIError as error:
                if not _did_nothing(error) or time.monotonic() - began > AGAIN_SECONDS:
                    raise
            return self._once(work)

        return _or_store_error(run)

    def _once(self, work: Callable[[sa.Connection], T]) -> T:
        with self.engine.connect() as db, db.begin() as transaction:
            result = work(db)
            try:
                transaction.commit()
            except SQLAlchemyError as error:
                message = f"the OTP database failed at COMMIT: {type(error).__name__}"
                raise StoreError(message) from error
            return result


def _did_nothing(error: DBAPIError) -> bool:
    """Tell whether a transaction that failed before COMMIT may succeed if it is run again."""
    if isinstance(error, IntegrityError):  # another node inserted the same row: it is there by now
        return True
    return error.connection_invalidated or error_code(error) in _ROLLED_BACK


def _or_store_error(work: Callable[[], T]) -> T:
    try:
        return work()
    except SQLAlchemyError as error:
        failure = error
    # Outside of the handler, so that nothing is chained but what is meant to be: a driver's message
    # about a value repeats the value.
    cause = None if isinstance(failure, DataError | IntegrityError) else failure
    raise StoreError(f"the OTP database failed: {type(failure).__name__}") from cause
