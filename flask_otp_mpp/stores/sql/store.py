"""The SQL store: each verb is one short transaction on connections of the store's own.

None joins a session of the host. A transaction first locks the user's row, which makes the verbs
of one user follow one another on every database; what it then reads can't change under it, and the
pure functions of :mod:`flask_otp_mpp.core.rules` decide. A send and a forget ensure the row
first, except on SQLite, which locks the whole file.

The statements of a verb on a server, BEGIN and COMMIT not counted, and its round trips, with them:

=========================== =========== ============
verb                        statements  round trips
=========================== =========== ============
reserve, granted            6           2
reserve, superseding one    7           2
reserve, refused            4           2
reserve, repeated           3           2
spend, compared             5           2
spend, not compared         2           2
spend, refusal stored       3           2
spend, repeated             2           2
settle, delivered           1           1
settle, refused             2           1
settle, not stored          2           1
get_answer                  1           1
look_up                     1           1
unlock                      3           2
forget                      6           2
=========================== =========== ============

A store with a clock of its own reads in two round trips: the time is read after the row was locked.

If the request has a journal, what it writes of a decision is in the transaction's last batch: that
takes one statement more, or two, and no further round trip.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final

from flask_otp_mpp.core import rules
from flask_otp_mpp.core.challenge import Attempt, Challenge, Draft
from flask_otp_mpp.core.clock import Clock
from flask_otp_mpp.core.idempotency import StoredAnswer
from flask_otp_mpp.core.limits import UserLimits
from flask_otp_mpp.core.policy import Policy
from flask_otp_mpp.core.ports import check_batch
from flask_otp_mpp.core.reasons import Outcome, Reason
from flask_otp_mpp.core.trace import journal_at_work
from flask_otp_mpp.core.user_record import UserRecord
from flask_otp_mpp.stores.options import DEFAULT, StoreOptions
from flask_otp_mpp.stores.sql import statements
from flask_otp_mpp.stores.sql.dialect import Row
from flask_otp_mpp.stores.sql.journaled import commit, decide
from flask_otp_mpp.stores.sql.purge import Purge
from flask_otp_mpp.stores.sql.statements import CompiledStatement, Statements, Values
from flask_otp_mpp.stores.sql.tables import SQLTables
from flask_otp_mpp.stores.sql.transaction import Transaction, Transactions

_MOST_LOCKS: Final = 3
"""How often the row of a user who is forgotten meanwhile is ensured and locked."""


class SQLAlchemyStore(SQLTables):
    """A store in a SQL database.

    A transaction that was rolled back, or whose connection was lost before COMMIT, is run
    again; one that failed at COMMIT never, for it may have been done.

    :param url: a SQLAlchemy URL of SQLite, PostgreSQL (psycopg) or MySQL and MariaDB (PyMySQL).
        SQLite must be a file: it is switched to write-ahead logging with full synchronisation, so
        that neither a crash nor a power cut loses a counted try.
    :param clock: the one clock by which this store judges. Without one, or with the system's
        ``utc_now``, it is the database server's, the same for all hosts; SQLite has no server,
        there it is the machine's.
    :param options: bounds for its connections; what the URL's query says takes precedence.
    :raises ValueError: if the URL can't be used; the message holds no password.
    """

    def __init__(
        self, url: str, clock: Clock | None = None, options: StoreOptions = DEFAULT
    ) -> None:
        super().__init__(url, clock, options)
        self._statements = Statements(
            self.database, self.engine.dialect, own_time=self._clock is None
        )
        self.transactions = Transactions(self.engine, self.database, self._clock)

    def get_answer(self, request: str) -> StoredAnswer | None:
        [row] = self.transactions.read({"at_key": request}, self._statements.answer)
        return statements.answer_of(row)

    def reserve(self, draft: Draft, policy: Policy) -> Challenge | Outcome:
        sql = self._statements

        def work(transaction: Transaction) -> Challenge | Outcome:
            values: Values = {
                "caller": draft.caller,
                "channel": draft.channel,
                "at_subject": draft.subject,
                "at_key": draft.request.value,
            }
            limits, found = self._lock_user(transaction, values, sql.for_send, ensure=True)
            if (first := statements.repeated(found[0], draft.request)) is not None:
                return first
            now: datetime = found[0][0]
            decided = rules.reserve(
                draft,
                policy,
                now,
                limits=limits or UserLimits(),
                open_challenges=statements.challenges_of(found),
            )
            if isinstance(decided, Outcome):
                return self._refuse(transaction, draft, decided, now)
            for old in decided.closed:
                transaction.write({"closed_id": old.id, "closed_at_moment": now}, sql.close)
            pending = Outcome(decided.challenge.id, Reason.REQUEST_PENDING)
            values = {
                **statements.count_values(draft.subject, decided.limits, policy, now),
                **statements.values_of(decided.challenge, "new"),
                **statements.answer_values(draft.request, pending, draft.subject, now),
            }
            # A purge may have deleted the row just before it was locked.
            transaction.write(values, sql.insert_user if limits is None else sql.count)
            if decided.challenge.id == draft.id:
                transaction.write(values, sql.open)
            transaction.write(values, sql.put_answer)
            return decided.challenge

        return decide(self.transactions, work)

    def settle(self, draft: Draft, outcome: Outcome) -> None:
        """Write how a delivery ended; nothing is decided, so the user's row is not locked.

        It may be lost in a crash. The request is then treated as one that was interrupted in its
        delivery, for which no second message is ever sent.
        """
        sql, stored = self._statements, draft.request.caches(outcome.reason)
        # A reused challenge has another id than the draft and stays open.
        writes = [] if outcome.reason is None else [sql.fail]
        writes.append(sql.end_answer if stored else sql.forget_answer)
        values = {
            "at_key": draft.request.value,
            "at_subject": draft.subject,
            "at_challenge": draft.id,
            **statements.outcome_values(draft.request, outcome),
        }

        def work(transaction: Transaction) -> Outcome:
            transaction.write(values, *writes)
            return commit(transaction, outcome, draft.subject)

        journal = journal_at_work()
        decide(self.transactions, work, durable=journal is not None and journal.durable)

    def spend(self, attempt: Attempt, policy: Policy) -> Outcome:
        sql = self._statements

        def work(transaction: Transaction) -> Outcome:
            values: Values = {
                "at_challenge": attempt.id,
                "at_subject": attempt.subject,
                "at_key": attempt.request.value,
            }
            limits, [row] = self._lock_user(transaction, values, sql.for_attempt)
            if (first := statements.repeated(row, attempt.request)) is not None:
                return first
            now: datetime = row[0]
            if limits is None:  # nothing was sent to this user, or not for a long time
                unknown = Outcome(attempt.id, Reason.CHALLENGE_UNKNOWN)
                return self._refuse(transaction, attempt, unknown, now)
            challenge = next(iter(statements.challenges_of([row])), None)
            decided = rules.spend(attempt, policy, now, limits=limits, challenge=challenge)
            if isinstance(decided, Outcome):
                return self._refuse(transaction, attempt, decided, now)
            values = {
                "at_challenge": attempt.id,
                **statements.values_of(decided.challenge, "tried"),
                **statements.count_values(attempt.subject, decided.limits, policy, now),
                **statements.answer_values(attempt.request, decided.outcome, attempt.subject, now),
            }
            transaction.write(values, sql.count, sql.count_attempt, sql.put_answer)
            return commit(transaction, decided.outcome, attempt.subject)

        return decide(self.transactions, work)

    def look_up(self, subject: str) -> UserRecord:
        rows = self.transactions.read({"at_subject": subject}, self._statements.look_up)
        return statements.record_of(rows)

    def unlock(
        self, subject: str, clients: Collection[str] | None = None, *, quota: bool = False
    ) -> UserLimits | None:
        sql, values = self._statements, {"at_subject": subject}

        def work(transaction: Transaction) -> UserLimits | None:
            rows, [[now]] = transaction.read(values, sql.lock_user, sql.now)
            limits = statements.limits_of(rows) or UserLimits()
            decided = rules.unlock(limits, now, clients, quota=quota)
            if decided is None:
                return None
            transaction.write(
                {**values, **statements.values_of(decided.limits, "count")}, sql.unlock
            )
            return decided.forgotten

        return self.transactions.run(work)

    def forget(self, subject: str) -> bool:
        sql, values = self._statements, {"at_subject": subject}

        def work(transaction: Transaction) -> bool:
            limits, [others] = self._lock_user(transaction, values, sql.other_rows, ensure=True)
            transaction.write(values, sql.forget_challenges, sql.forget_requests, sql.forget_user)
            # A row that holds nothing was only made to be locked.
            return any(others) or limits not in (None, UserLimits())

        return self.transactions.run(work)

    def purge(self, policy: Policy, *, batch: int = 1000) -> int:
        check_batch(batch)
        [[now]] = self.transactions.read({}, self._statements.now)
        return Purge(self.engine, self.database, self.transactions, batch).run(
            policy, now, self._clock
        )

    def _lock_user(
        self,
        transaction: Transaction,
        values: Values,
        find: CompiledStatement,
        *,
        ensure: bool = False,
    ) -> tuple[UserLimits | None, list[Row]]:
        """Lock the user's row for the rest of the transaction, then read.

        The user may be forgotten, or a purge delete the row, just before it is locked. Without a
        lock this one would fail on others, or wait for them while they wait for it. So the row is
        ensured and locked once more.

        :param ensure: whether the row is inserted if it is missing, so that it can be locked.

        SQLite has no row locks: there BEGIN IMMEDIATE has locked the whole file, and nothing is
        inserted.
        """
        sql = self._statements
        first = sql.ensure_user if ensure else ()
        for _ in range(_MOST_LOCKS):
            *_, rows, found = transaction.read(values, *first, sql.lock_user, find)
            if rows or not first:
                break
        return statements.limits_of(rows), found

    def _refuse(
        self, transaction: Transaction, asked: Draft | Attempt, refusal: Outcome, now: datetime
    ) -> Outcome:
        """Change nothing; store the answer if a repeat is to get it again."""
        if asked.request.caches(refusal.reason):
            values = statements.answer_values(asked.request, refusal, asked.subject, now)
            transaction.write(values, self._statements.put_answer)
        return commit(transaction, refusal, asked.subject)
