"""Each verb is one short transaction on connections of our own, and none joins the host's session.

A transaction first takes the user's row, which makes the verbs of one user follow one another on
every database; what it then reads can't change under it, and the pure functions of
:mod:`flask_otp_mpp.core.rules` decide. Statements of a verb, BEGIN and COMMIT not counted, and how
often a server is waited for, with them:

=========================== =========== ============
verb                        statements  round trips
=========================== =========== ============
reserve, granted            5           2
reserve, superseding one    6           2
reserve, refused            3           2
spend, compared             5           2
spend, not compared         2           2
spend, that remembered      3           2
settle, delivered           1           1
settle, refused             2           1
settle, not remembered      2           1
get_answer                  1           1
put_answer                  2           2
unlock                      3           2
=========================== =========== ============

A request that is repeated needs 2 of either. With a clock of its own a store asks twice before it
decides, one round trip more: the time is read when the row is taken.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Final

from flask_otp_mpp.core import rules
from flask_otp_mpp.core.challenge import (
    Attempt,
    Challenge,
    Draft,
    IdempotencyKey,
    Outcome,
    StoredAnswer,
)
from flask_otp_mpp.core.limits import UserLimits
from flask_otp_mpp.core.policy import Policy
from flask_otp_mpp.core.ports import Clock, utc_now
from flask_otp_mpp.core.reasons import Reason
from flask_otp_mpp.stores.options import DEFAULT, StoreOptions
from flask_otp_mpp.stores.sql import check as checks
from flask_otp_mpp.stores.sql import purging, schema
from flask_otp_mpp.stores.sql.engine import connect
from flask_otp_mpp.stores.sql.rows import (
    answer_values,
    challenge_of,
    challenge_values,
    count_values,
    known,
    limits_of,
    outcome_values,
    record_of,
)
from flask_otp_mpp.stores.sql.sentences import Row, Sentence, Values
from flask_otp_mpp.stores.sql.statements import Statements, Write
from flask_otp_mpp.stores.sql.transaction import Step, Transactions, or_store_error

_MICROSECOND: Final = timedelta(microseconds=1)


class SQLAlchemyStore:
    """Keep challenges and standings in a SQL database.

    A transaction that was rolled back, or whose connection was lost before COMMIT, is run
    again; one that failed at COMMIT never, for it may have been done.

    :param url: a SQLAlchemy URL of SQLite, PostgreSQL (psycopg) or MySQL and MariaDB (PyMySQL).
        SQLite must be a file: it is switched to write-ahead logging with full synchronisation, so
        that neither a crash nor a power cut takes back a counted try.
    :param clock: the one clock by which this store judges. Without one, or with the system's
        ``utc_now``, it is the database server's, the same for all hosts; SQLite has no server,
        there it is the machine's.
    :param terms: bounds for its connections; what the URL's query says takes precedence.
    :raises ValueError: if the URL can't be used; the message holds no password.
    """

    def __init__(
        self, url: str, clock: Clock | None = None, options: StoreOptions = DEFAULT
    ) -> None:
        self.engine = connect(url, options)
        self._clock: Clock | None = utc_now if clock is None else clock
        if self._clock is utc_now and self.engine.dialect.name != "sqlite":
            self._clock = None
        self._say = Statements(self.engine.dialect, own_time=self._clock is None)
        self._transactions = Transactions(self.engine, options)

    def create_tables(self) -> None:
        """Create the tables that are missing, and note their revision.

        :raises StoreError: if the database refuses.
        """
        or_store_error(partial(schema.create, self.engine))

    def upgrade_tables(self) -> None:
        """Bring the tables to the newest revision.

        :raises ModuleNotFoundError: if Alembic is not installed (extra ``migrations``).
        :raises StoreError: if the database refuses.
        """
        or_store_error(partial(schema.upgrade, self.engine))

    def check(self) -> str:
        """Look whether this store can work: is the database there, new enough, and prepared.

        :returns: what was found, in one line.
        :raises UnfitStore: naming what was found instead, and what mends it.
        :raises StoreError: if the database does not answer.
        """
        return checks.check(self.engine)

    def get_answer(self, request: str) -> StoredAnswer | None:
        [row] = self._transactions.look(self._say.known, {"at_key": request, **self._now()})
        return record_of(row)

    def put_answer(self, request: IdempotencyKey, outcome: Outcome) -> Outcome:
        def work(step: Step) -> Outcome:
            [[row]] = step.ask((self._say.known, {"at_key": request.value, **self._now()}))
            if (first := known(row, request)) is not None:
                return first
            # Another may do so at once: one fails, and is run again.
            step.write(self._say.write("put_answer"), answer_values(request, outcome, "", row[0]))
            return outcome

        return self._transactions.run(work)

    def reserve(self, draft: Draft, policy: Policy) -> Challenge | Outcome:
        def work(step: Step) -> Challenge | Outcome:
            place = {"caller": draft.caller, "channel": draft.channel}
            taken, found = self._take(step, self._say.asked, draft, place)
            if (first := known(found[0], draft.request)) is not None:
                return first
            now: datetime = found[0][0]
            decided = rules.reserve(
                draft,
                policy,
                now,
                limits=UserLimits() if taken is None else taken,
                open_challenges=[row for row in map(challenge_of, found) if row is not None],
            )
            if isinstance(decided, Outcome):
                return self._refuse(step, draft, decided, now)
            for old in decided.closed:
                closing = {"closed_id": old.id, "closed_at_moment": now}
                step.write(self._say.write("close"), closing)
            # Two nodes may insert the same user at once: one fails, and is run again.
            names: list[Write] = ["begin" if taken is None else "count"]
            pending = Outcome(decided.challenge.id, Reason.REQUEST_PENDING)
            values = count_values(draft.subject, decided.limits, policy, now)
            values |= answer_values(draft.request, pending, draft.subject, now)
            if decided.challenge.id == draft.id:
                names.append("open")
                values |= challenge_values(decided.challenge)
            step.write(self._say.write(*names, "put_answer"), values)
            return decided.challenge

        return self._transactions.run(work)

    def settle(self, draft: Draft, outcome: Outcome) -> None:
        """Write how a delivery ended; nothing is decided, so the user's row is not taken.

        If a power cut takes it back, the request is held for one that broke off in its delivery,
        of which nobody is ever sent a second message.
        """
        kept = draft.request.caches(outcome.reason)
        values = {
            "at_key": draft.request.value,
            "at_challenge": draft.id,
            "keep": draft.request.ttl // _MICROSECOND,
            **outcome_values(outcome),
        }

        # A reused challenge has another id than the draft and stays open.
        names: list[Write] = [] if outcome.reason is None else ["fail"]
        say = self._say.write(*names, "answer" if kept else "forget")
        self._transactions.run(
            lambda step: step.write(say, {**values, **self._now()}), lightly=True
        )

    def spend(self, attempt: Attempt, policy: Policy) -> Outcome:
        def work(step: Step) -> Outcome:
            taken, [row] = self._take(
                step, self._say.claimed, attempt, {"at_challenge": attempt.id}
            )
            if (first := known(row, attempt.request)) is not None:
                return first
            now: datetime = row[0]
            if taken is None:  # nothing was sent to this user for long
                unknown = Outcome(attempt.id, Reason.CHALLENGE_UNKNOWN)
                return self._refuse(step, attempt, unknown, now)
            decided = rules.spend(attempt, policy, now, limits=taken, challenge=challenge_of(row))
            if isinstance(decided, Outcome):
                return self._refuse(step, attempt, decided, now)
            tried = decided.challenge
            values = {
                "at_challenge": tried.id,
                "tried_attempts": tried.attempts,
                "tried_used_at": tried.used_at,
                **count_values(attempt.subject, decided.limits, policy, now),
                **answer_values(attempt.request, decided.outcome, attempt.subject, now),
            }
            step.write(self._say.write("count", "try", "put_answer"), values)
            return decided.outcome

        return self._transactions.run(work)

    def unlock(self, subject: str) -> bool:
        def work(step: Step) -> bool:
            values = {"at_subject": subject}
            rows, [[now]] = self._ask(step, self._say.take, self._say.now, values)
            limits = limits_of(rows)
            if limits is None or not limits.has_failures(now):
                return False
            step.write(self._say.write("unlock"), values)
            return True

        return self._transactions.run(work)

    def purge(self, policy: Policy, *, batch: int = 1000) -> int:
        [[now]] = self._transactions.look(self._say.now, self._now())
        most, steps = purging.steps(self.engine.dialect.name, policy, now, batch)
        total = 0
        for step in steps:
            deleted = most
            while deleted == most:
                deleted = self._transactions.again(partial(self._delete, step))
                total += deleted
                self._transactions.let_others()
        return total

    def _delete(self, step: purging.Step) -> int:
        # Lightly, on SQLite: a power cut may bring back what was dead.
        with self.engine.connect().execution_options(lightly=True) as db, db.begin():
            return step(db)

    def _now(self) -> dict[str, datetime]:
        return {} if self._clock is None else {"now": self._clock()}

    def _take(
        self, step: Step, statement: Sentence, asked: Draft | Attempt, more: Values
    ) -> tuple[UserLimits | None, list[Row]]:
        """Take the user's row for the rest of the transaction, then read.

        SQLite has no rows to take: there BEGIN IMMEDIATE has taken all of them.
        """
        values = {"at_subject": asked.subject, "at_key": asked.request.value, **more}
        taken, found = self._ask(step, self._say.take, statement, values)
        return limits_of(taken), found

    def _ask(
        self, step: Step, first: Sentence, second: Sentence, values: Values
    ) -> list[list[Row]]:
        """Ask twice at once; one after the other if the time is ours, which is read in between."""
        if self._clock is None:
            return step.ask((first, values), (second, values))
        return step.ask((first, values)) + step.ask((second, {**values, "now": self._clock()}))

    def _refuse(
        self, step: Step, asked: Draft | Attempt, refusal: Outcome, now: datetime
    ) -> Outcome:
        """Change nothing; remember it if a repeat is to get it again."""
        request = asked.request
        if request.caches(refusal.reason):
            values = answer_values(request, refusal, asked.subject, now)
            step.write(self._say.write("put_answer"), values)
        return refusal
