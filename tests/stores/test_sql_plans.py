"""PostgreSQL plans a statement once for each connection, and loses nothing by it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from flask_otp_mpp.core.ports import StoreError
from flask_otp_mpp.core.reasons import Outcome, Reason
from flask_otp_mpp.stores import SQLAlchemyStore
from flask_otp_mpp.stores.options import StoreOptions
from flask_otp_mpp.testing.contract.builders import (
    POLICY,
    RIGHT,
    WRONG,
    answer,
    attempt,
    draft,
    opened,
)
from tests.stores.drivers import before_each_batch, hear
from tests.stores.on_server import tables_at
from tests.stores.servers import postgresql_url

pytestmark = pytest.mark.server

ONE = StoreOptions(pool_size=1)
STATEMENTS = 9
"""Of a first send and a verify, their ends included."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with tables_at(postgresql_url("plans")) as url:
        yield url


@pytest.fixture
def store(url: str) -> Iterator[SQLAlchemyStore]:
    store = SQLAlchemyStore(url, options=ONE)
    yield store
    store.engine.dispose()


@pytest.fixture
def texts(store: SQLAlchemyStore) -> list[str]:
    """Hear what is sent to the server."""
    return hear(store.engine)


def planned(texts: list[str]) -> int:
    return sum(len(re.findall("PREPARE ", text)) for text in texts)


def forget(store: SQLAlchemyStore) -> None:
    """Forget all plans of the one connection, as if a pooler had changed it."""
    with store.engine.connect() as db:
        db.exec_driver_sql("DEALLOCATE ALL")
        db.rollback()


def test_a_statement_is_planned_once_for_each_connection(
    store: SQLAlchemyStore, texts: list[str]
) -> None:
    assert answer(store, opened(store, "ada"), RIGHT) is None
    assert planned(texts) == STATEMENTS
    texts.clear()
    assert answer(store, opened(store, "bob"), RIGHT) is None
    assert planned(texts) == 0
    assert all("SELECT" not in text and "INSERT" not in text for text in texts)
    store.engine.dispose()
    assert answer(store, opened(store, "eve"), RIGHT) is None
    assert planned(texts) == STATEMENTS


@pytest.mark.parametrize("code", [RIGHT, WRONG])
def test_plans_that_have_gone_are_made_anew_and_a_try_is_counted_once(
    store: SQLAlchemyStore, code: bytes
) -> None:
    """S1: behind a pooler the connection may be another one each time."""
    challenge = opened(store, f"of {code.hex()}")
    forget(store)
    assert answer(store, challenge, code) is (None if code == RIGHT else Reason.CODE_UNMATCHED)
    with store.engine.connect() as db:
        counted = "SELECT attempts FROM otp_mpp_challenges WHERE id = %s"
        assert db.exec_driver_sql(counted, (challenge.id,)).scalar_one() == 1


def test_plans_that_have_gone_between_two_round_trips_are_made_anew(
    store: SQLAlchemyStore, texts: list[str]
) -> None:
    """S1: the first round trip is rolled back, and the verb is run again."""
    challenge = opened(store, "between")
    assert answer(store, challenge, WRONG) is Reason.CODE_UNMATCHED  # so that all is planned

    def forget_once(driver: Any, text: str) -> None:
        if text.endswith("COMMIT") and "DEALLOCATE ALL" not in texts:
            driver.execute("DEALLOCATE ALL")

    before_each_batch(store.engine, forget_once)
    assert answer(store, challenge, RIGHT) is None
    assert texts.count("DEALLOCATE ALL") == 1


def test_plans_that_are_there_unexpectedly_are_no_fault(
    store: SQLAlchemyStore, texts: list[str]
) -> None:
    """S1: another process has made them on the connection that the pooler gives now."""
    challenge = opened(store, "unexpected")
    made: list[str] = []

    def make_before(driver: Any, text: str) -> None:
        if text.endswith("COMMIT") and "PREPARE" in text and not made:
            made.extend(plan for plan in text.split(";") if plan.startswith("PREPARE"))
            driver.execute(made[0])

    before_each_batch(store.engine, make_before)
    assert answer(store, challenge, RIGHT) is None
    assert made[0] in texts
    assert sum("BEGIN" in text for text in texts[texts.index(made[0]) :]) == 1  # it was run again


def test_behind_a_pooler_statements_are_sent_in_full_from_then_on(
    store: SQLAlchemyStore, texts: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """S1: what finds it out is run again; nothing else is in vain."""
    opened(store, "before the pooler")
    forget(store)
    opened(store, "when it is found out")
    texts.clear()
    assert answer(store, opened(store, "behind the pooler"), RIGHT) is None
    assert not [text for text in texts if "EXECUTE" in text or "PREPARE" in text]
    assert len(texts) == 5  # two round trips for each, and the end of the delivery
    assert [record.message for record in caplog.records] == [
        "the OTP database is behind a pooler: statements are not kept there"
    ]


def test_after_an_error_all_plans_are_made_anew(store: SQLAlchemyStore, texts: list[str]) -> None:
    """A plan that was to be made in the text that failed may be there or not."""
    opened(store, "erring")
    with pytest.raises(StoreError):
        store.get_answer("\0")
    texts.clear()
    assert store.get_answer("nothing") is None
    assert texts[0].startswith("DEALLOCATE ALL;PREPARE ")
    texts.clear()
    assert store.get_answer("nothing") is None
    assert planned(texts) == 0


def test_only_the_end_of_a_delivery_does_not_wait_for_the_disk(
    store: SQLAlchemyStore, texts: list[str]
) -> None:
    """S10, A7: it may be lost in a crash; nothing is decided or counted by it."""
    asked = draft("brief")
    store.reserve(asked, POLICY)
    before = len(texts)
    store.settle(asked, Outcome(asked.id))
    store.spend(attempt(asked.id, WRONG, subject="brief"), POLICY)
    brief = [number for number, text in enumerate(texts) if "synchronous_commit = off" in text]
    assert brief == [before]
    assert re.fullmatch("(.*;)?BEGIN[^;]*;SET LOCAL [^;]*;EXECUTE [^;]*;COMMIT", texts[before])
    with store.engine.connect() as db:
        assert db.exec_driver_sql("SHOW synchronous_commit").scalar_one() == "on"
