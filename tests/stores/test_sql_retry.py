"""A transaction that is known to have done nothing is run again, within what a caller can wait."""

from __future__ import annotations

import pytest
from pymysql.err import OperationalError
from sqlalchemy.exc import DBAPIError

from flask_otp_mpp.core.ports import StoreError
from flask_otp_mpp.stores.options import DEFAULT
from flask_otp_mpp.stores.sql import transaction
from flask_otp_mpp.stores.sql.engine import connect
from flask_otp_mpp.stores.sql.transaction import MAX_RUNS, Transactions

DEADLOCK, LOST, LOCK_TIMEOUT = 1213, 2013, 1205


@pytest.fixture
def transactions() -> Transactions:
    return Transactions(*connect("mysql://ada@host/otp", DEFAULT), None)  # never connected


class Attempts:
    """Fail with each of the errors before it succeeds, and count."""

    def __init__(self, *codes: int) -> None:
        self.codes = codes
        self.times = 0

    def __call__(self) -> str:
        self.times += 1
        if self.times > len(self.codes):
            return "done"
        code = self.codes[self.times - 1]
        error = OperationalError(code, "x")
        raise DBAPIError("", None, error, connection_invalidated=code == LOST)


@pytest.mark.parametrize("failures", range(MAX_RUNS))
def test_a_deadlock_may_come_several_times(transactions: Transactions, failures: int) -> None:
    """L6, S1: each time at least one of the others has come through."""
    attempts = Attempts(*[DEADLOCK] * failures)
    assert transactions.retry(attempts) == "done"
    assert attempts.times == failures + 1


@pytest.mark.parametrize(
    ("codes", "times"),
    [
        ([DEADLOCK] * 99, MAX_RUNS),
        ([LOST] * 99, 2),
        ([LOST, DEADLOCK], 2),
        ([DEADLOCK, LOST, DEADLOCK], 3),
        ([LOCK_TIMEOUT], 1),
    ],
)
def test_it_is_not_run_for_ever(transactions: Transactions, codes: list[int], times: int) -> None:
    """After a lost connection once more; after a lock that was waited for in vain not at all."""
    attempts = Attempts(*codes)
    with pytest.raises(StoreError, match=r"^the OTP database failed: DBAPIError$"):
        transactions.retry(attempts)
    assert attempts.times == times


def test_nothing_is_run_again_when_its_caller_has_waited_long(
    transactions: Transactions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transaction, "RETRY_SECONDS", -1)
    attempts = Attempts(DEADLOCK)
    with pytest.raises(StoreError):
        transactions.retry(attempts)
    assert attempts.times == 1
