"""The purge of a SQL store: delete what is over, in small steps beside the requests."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from flask_otp_mpp.core.clock import Clock
from flask_otp_mpp.core.policy import Policy
from flask_otp_mpp.core.ports import PurgeTooSlow
from flask_otp_mpp.stores.sql import clock
from flask_otp_mpp.stores.sql.dialect import Database, Failure
from flask_otp_mpp.stores.sql.statements import expired
from flask_otp_mpp.stores.sql.transaction import Transactions

SHRINK: Final = 4
"""By how much a step is smaller after one that took too long."""
SMALLEST_STEP: Final = 5


class Purge:
    """Delete what can no longer change any answer.

    :param batch: rows of a transaction. If one takes too long, as in a table with many dead rows,
        the next ones are smaller.
    """

    def __init__(
        self, engine: sa.Engine, database: Database, transactions: Transactions, batch: int
    ) -> None:
        self._engine = engine
        self._database = database
        self._transactions = transactions
        self._step = min(batch, database.purge_limit)
        self._total = 0

    def run(self, policy: Policy, now: datetime, own_clock: Clock | None) -> int:
        """Delete the rows that are over; return how many they were.

        :param own_clock: of the store; None if it decides by the server's.
        :raises PurgeTooSlow: if even a small step takes too long; what was deleted stays deleted.
        :raises StoreError: if the database fails.
        """
        self._transactions.retry(lambda: self._look_at_clock(own_clock))
        for key, over in expired(policy, now):
            deleted: int | None = self._step
            while deleted is None or deleted == self._step:
                deleted = self._delete(key, over)
                self._database.yield_to_others()
        return self._total

    def _delete(self, key: sa.Column[str], over: sa.ColumnElement[bool]) -> int | None:
        """Delete one step, and return how many rows it were; None if the next one is smaller."""
        deleted = self._transactions.retry(lambda: self._delete_some(key, over))
        if deleted is not None:
            self._total += deleted
            return deleted
        if self._step <= SMALLEST_STEP:
            raise PurgeTooSlow(
                f"{self._total} rows were purged, then the next {self._step} of "
                f"{key.table.name} took too long; clean the table up (VACUUM, OPTIMIZE TABLE), or "
                "set a longer OTP_MPP_STORE_STATEMENT_TIMEOUT, and purge again"
            )
        self._step = max(SMALLEST_STEP, self._step // SHRINK)
        return None

    def _delete_some(self, key: sa.Column[str], over: sa.ColumnElement[bool]) -> int | None:
        # A crash may bring back what was over.
        unsafe = self._engine.connect().execution_options(durable=False)
        try:
            with unsafe as db, db.begin():
                return self._database.delete_some(db, key, over, self._step)
        except DBAPIError as error:
            if self._database.failure(error) is not Failure.TOO_SLOW:
                raise
        return None

    def _look_at_clock(self, own_clock: Clock | None) -> None:
        with self._engine.connect() as db:
            clock.look(db, self._database, own_clock)
