"""First sends at once: each user's row is made once, and no transaction has to be run again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import pytest
import sqlalchemy as sa

from flask_otp_mpp.core.challenge import Challenge
from flask_otp_mpp.core.limits import UserLimits
from flask_otp_mpp.core.reasons import Outcome, Reason
from flask_otp_mpp.stores import SQLAlchemyStore, StoreOptions
from flask_otp_mpp.stores.sql.schema import user_limits
from flask_otp_mpp.testing.contract.builders import (
    POLICY,
    QUICK,
    RIGHT,
    answer,
    attempt,
    draft,
    named,
    opened,
)
from tests.services import MYSQL, POSTGRESQL
from tests.stores.drivers import begins, hear
from tests.stores.on_server import tables_at
from tests.stores.servers import mysql_url, postgresql_url

THREADS: Final = 16
ROUNDS: Final = 4


@pytest.fixture(scope="module", params=["sqlite", POSTGRESQL, MYSQL])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('first')}/otp.db"
        store = SQLAlchemyStore(url)
        store.create_tables()
        store.engine.dispose()
        yield url
        return
    with tables_at(
        {"postgresql": postgresql_url, "mysql": mysql_url}[request.param]("first")
    ) as url:
        yield url


@pytest.fixture
def store(url: str) -> Iterator[SQLAlchemyStore]:
    store = SQLAlchemyStore(url, options=StoreOptions(pool_size=THREADS))
    yield store
    store.engine.dispose()


def rows_of(store: SQLAlchemyStore, subject: str) -> list[UserLimits]:
    with store.engine.connect() as db:
        found = db.execute(sa.select(user_limits).where(user_limits.c.subject == subject))
        return [UserLimits(*row[1:4]) for row in found]


def at_once(store: SQLAlchemyStore, subjects: list[str]) -> tuple[list[Challenge | Outcome], int]:
    """Send to each of them at once; return the results, and how many transactions were begun."""
    texts = hear(store.engine)
    start = threading.Barrier(len(subjects))

    def send(subject: str) -> Challenge | Outcome:
        start.wait()
        return store.reserve(draft(subject), POLICY)

    with ThreadPoolExecutor(len(subjects)) as pool:
        results = list(pool.map(send, subjects))
    return results, sum(map(begins, texts))


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_sends_to_one_new_user_at_once_are_not_run_again(
    store: SQLAlchemyStore, round_: int
) -> None:
    """L6: the first one is granted, the others find it counted; none is rolled back."""
    results, begun = at_once(store, [f"one {round_}"] * THREADS)
    assert sum(isinstance(result, Challenge) for result in results) == 1
    assert len(rows_of(store, f"one {round_}")[0].sends) == 1
    assert begun <= THREADS  # on SQLite those who wait share one


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_sends_to_many_new_users_at_once_are_not_run_again(
    store: SQLAlchemyStore, round_: int
) -> None:
    """R6: new users do not get in each other's way."""
    results, begun = at_once(store, [f"many {round_} {number}" for number in range(THREADS)])
    assert all(isinstance(result, Challenge) for result in results)
    assert begun <= THREADS  # on SQLite those who wait share one


def test_a_refused_first_send_leaves_a_row_that_the_next_purge_deletes(
    store: SQLAlchemyStore,
) -> None:
    """T5: a request that another user's send has used before is refused before anything counts.

    On SQLite it leaves no row: none is needed for the lock.
    """
    left = [] if store.engine.dialect.name == "sqlite" else [UserLimits()]
    key = named("a conflict", "one")
    store.reserve(draft("carl", key=key), POLICY)
    refused = store.reserve(draft("dora", key=named("a conflict", "two")), POLICY)
    assert isinstance(refused, Outcome)
    assert refused.reason is Reason.REQUEST_CONFLICT
    assert rows_of(store, "dora") == left
    assert store.purge(POLICY) == len(left)
    assert rows_of(store, "dora") == []
    assert len(rows_of(store, "carl")) == 1


def test_a_row_that_holds_nothing_does_not_change_what_a_send_finds(store: SQLAlchemyStore) -> None:
    """L6: it is filled by the first send that is granted, and is then kept."""
    store.reserve(draft("emil", key=named("taken", "one")), POLICY)
    store.reserve(draft("fred", key=named("taken", "two")), POLICY)
    challenge = opened(store, "fred")
    store.purge(POLICY)
    assert answer(store, challenge, RIGHT) is None


def test_an_attempt_makes_no_row_for_a_user_to_whom_nothing_was_sent(
    store: SQLAlchemyStore,
) -> None:
    """T5: whoever guesses names of users fills no table."""
    found = store.spend(attempt("nothing", RIGHT, subject="nobody"), POLICY)
    assert found.reason is Reason.CHALLENGE_UNKNOWN
    assert rows_of(store, "nobody") == []


@pytest.mark.parametrize("url", [POSTGRESQL], indirect=True)
def test_a_row_that_a_purge_deletes_before_it_is_locked_is_made_anew(
    store: SQLAlchemyStore,
) -> None:
    """L6: PostgreSQL does not lock the row that is there already; a trigger is the purge."""
    opened(store, "gone")
    with store.engine.begin() as db:
        for statement in (
            "UPDATE otp_mpp_user_limits SET keep_until = 0 WHERE subject = 'gone'",
            "CREATE FUNCTION otp_mpp_purged() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "DELETE FROM otp_mpp_user_limits WHERE keep_until = 0; RETURN NULL; END $$",
            "CREATE TRIGGER purged AFTER INSERT ON otp_mpp_user_limits FOR EACH STATEMENT "
            "EXECUTE FUNCTION otp_mpp_purged()",
        ):
            db.exec_driver_sql(statement)
    try:
        assert isinstance(store.reserve(draft("gone"), QUICK), Challenge)
    finally:
        with store.engine.begin() as db:
            db.exec_driver_sql("DROP FUNCTION otp_mpp_purged CASCADE")
    assert len(rows_of(store, "gone")[0].sends) == 1
    assert store.reserve(draft("gone"), POLICY).reason is Reason.SEND_LIMITED  # type: ignore[union-attr]
