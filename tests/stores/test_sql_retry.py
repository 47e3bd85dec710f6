"""What is known to have done nothing is run again, as often as somebody may wait for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pymysql.err import OperationalError
from sqlalchemy.exc import DBAPIError

from flask_otp_mpp.core.ports import StoreError
from flask_otp_mpp.stores import SQLAlchemyStore
from flask_otp_mpp.stores.sql import transaction as transactions
from flask_otp_mpp.stores.sql.transaction import AGAIN_TIMES, Transactions

DEADLOCK, LOST = 1213, 2013


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Transactions]:
    store = SQLAlchemyStore(f"sqlite:///{tmp_path}/otp.db")
    yield store._transactions
    store.engine.dispose()


class Work:
    """Fail some times before it succeeds, and count."""

    def __init__(self, failures: int, code: int) -> None:
        self.failures, self.code = failures, code
        self.times = 0

    def __call__(self) -> str:
        self.times += 1
        if self.times > self.failures:
            return "done"
        lost = self.code == LOST
        raise DBAPIError("", None, OperationalError(self.code, "x"), connection_invalidated=lost)


@pytest.mark.parametrize("failures", range(AGAIN_TIMES + 1))
def test_a_deadlock_may_come_several_times(runs: Transactions, failures: int) -> None:
    """L6, S1: of many first sends to one user each may be in the others' way."""
    work = Work(failures, DEADLOCK)
    assert runs.again(work) == "done"
    assert work.times == failures + 1


@pytest.mark.parametrize(("code", "times"), [(DEADLOCK, AGAIN_TIMES + 1), (LOST, 2), (1205, 1)])
def test_it_is_not_run_for_ever(runs: Transactions, code: int, times: int) -> None:
    """A lost connection once more; a lock that was waited for in vain not at all."""
    work = Work(99, code)
    with pytest.raises(StoreError):
        runs.again(work)
    assert work.times == times


def test_nothing_is_run_again_when_its_caller_has_waited_long(
    runs: Transactions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transactions, "AGAIN_SECONDS", -1)
    work = Work(99, DEADLOCK)
    with pytest.raises(StoreError):
        runs.again(work)
    assert work.times == 1
