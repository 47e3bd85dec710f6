"""Transactions that decide a request, together with what its journal writes of the decision."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from flask_otp_mpp.core.ports import StoreError, StoreUnavailable
from flask_otp_mpp.core.reasons import Outcome
from flask_otp_mpp.core.trace import current, journal_at_work
from flask_otp_mpp.stores.sql.transaction import Transaction, Transactions

T = TypeVar("T")


def decide(
    transactions: Transactions, work: Callable[[Transaction], T], *, durable: bool = True
) -> T:
    """Run a transaction that decides, or ends, a request.

    If what its journal writes can't be written, the transaction is rolled back. Where the journal
    is optional, it is run again without it.

    :raises StoreError: if the database fails.
    """
    journal = journal_at_work()
    if journal is None:
        return transactions.run(work, durable=durable)
    journal.prepare()
    try:
        return transactions.run(work, durable=durable)
    except StoreUnavailable:  # it may have been done, or would fail again
        raise
    except StoreError:
        if not journal.optional:
            raise
    current().journal = None
    return transactions.run(work, durable=durable)


def commit(transaction: Transaction, outcome: Outcome, subject: str) -> Outcome:
    """Commit a decision and what the request's journal writes of it; return the decision."""
    if (journal := journal_at_work()) is not None:
        with journal.entry(outcome.about(subject)) as writes:
            for values, statement in writes:
                transaction.write(values, statement)
            transaction.commit()
    return outcome
