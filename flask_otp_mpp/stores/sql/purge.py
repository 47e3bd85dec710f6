"""The purge of a SQL store: delete what is over, in small steps beside the requests."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from flask_otp_mpp.core.policy import Policy
from flask_otp_mpp.core.ports import StoreError
from flask_otp_mpp.stores.sql.dialect import Database, Failure
from flask_otp_mpp.stores.sql.schema import challenges
from flask_otp_mpp.stores.sql.statements import expired
from flask_otp_mpp.stores.sql.transaction import Transactions

logger = logging.getLogger("flask_otp_mpp.stores")

SHRINK: Final = 4
"""By how much a step is smaller after one that took too long."""
SMALLEST_STEP: Final = 5
CLOCK_STEP: Final = timedelta(seconds=1)


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

    def run(self, policy: Policy, now: datetime) -> int:
        """Delete the rows that are over; return how many they were.

        :raises StoreError: if the database fails, or a small step takes too long; what was deleted
            stays deleted.
        """
        self._check_clock(now)
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
            raise StoreError(
                f"the purge deleted {self._total} rows, then to delete {self._step} from "
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

    def _check_clock(self, now: datetime) -> None:
        """Warn of a clock that went back, as that of a restored machine: codes live longer then."""
        newest = sa.select(challenges.c.issued_at).order_by(challenges.c.expires_at.desc()).limit(1)
        issued = self._transactions.retry(lambda: self._scalar(newest))
        if issued is not None and issued > now + CLOCK_STEP:
            logger.warning(
                "the clock by which the OTP store decides went back: its newest code was issued "
                "%d s after now; until then, codes are valid for longer and limits end later",
                (issued - now).total_seconds(),
            )

    def _scalar(self, query: sa.Select[Any]) -> datetime | None:
        with self._engine.connect() as db:
            found: datetime | None = db.scalar(query)
            return found
