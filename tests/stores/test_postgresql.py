"""The SQL store keeps every promise on a PostgreSQL server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from flask_otp_mpp.core.idempotency import IdempotencyKey
from flask_otp_mpp.core.ports import Store, StoreError
from flask_otp_mpp.core.reasons import Outcome
from flask_otp_mpp.stores import SQLAlchemyStore
from flask_otp_mpp.stores.sql.schema import metadata
from flask_otp_mpp.testing.contract.builders import KEEP, POLICY, RIGHT, attempt, draft, opened
from tests.stores.on_server import OnServer, tables_at
from tests.stores.servers import postgresql_url

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with tables_at(postgresql_url("suite")) as url:
        yield url


class TestPostgreSQL(OnServer):
    """T2, A9: the suite, its races between processes, and a server that is away."""

    closed = "postgresql+psycopg://root:hunter2@127.0.0.1:1/test"


NUL = "ada\0lovelace"
KEY = IdempotencyKey(NUL, KEEP)
ASKED: list[Callable[[Store], object]] = [
    lambda store: store.reserve(draft(NUL), POLICY),
    lambda store: store.reserve(draft(challenge_id=NUL), POLICY),
    lambda store: store.reserve(draft(caller=NUL), POLICY),
    lambda store: store.reserve(draft(key=KEY), POLICY),
    lambda store: store.settle(draft(challenge_id=NUL), Outcome(NUL)),
    lambda store: store.settle(draft(key=KEY), Outcome("known")),
    lambda store: store.spend(attempt(NUL, RIGHT), POLICY),
    lambda store: store.spend(attempt("known", RIGHT, subject=NUL), POLICY),
    lambda store: store.spend(attempt("known", RIGHT, key=KEY), POLICY),
    lambda store: store.look_up(NUL),
    lambda store: store.unlock(NUL),
]


@pytest.mark.parametrize("ask", ASKED)
def test_a_nul_in_a_name_is_a_store_error_and_no_crash(
    url: str, ask: Callable[[Store], object]
) -> None:
    """T2: PostgreSQL keeps no such text; the driver's message, which repeats it, is not chained."""
    store = SQLAlchemyStore(url)
    opened(store)
    try:
        with pytest.raises(StoreError, match="DataError") as caught:
            ask(store)
        assert caught.value.__cause__ is None
        assert not store.unlock("bob")  # the connection is none the worse
    finally:
        with store.engine.begin() as db:
            for table in metadata.sorted_tables:
                db.execute(sa.delete(table))
        store.engine.dispose()


@pytest.mark.parametrize("size", [10, 20_000_000])
def test_a_text_larger_than_what_the_network_takes_at_once_is_sent_whole(
    url: str, size: int
) -> None:
    store = SQLAlchemyStore(url)
    with closing(store.engine.raw_connection()) as connection:
        text = "x" * size
        driver: Any = connection.dbapi_connection
        assert driver.query(f"SELECT length('{text}'); SELECT 1, 'two'") == [
            [(size,)],
            [(1, "two")],
        ]
        with pytest.raises(psycopg.errors.DivisionByZero):
            driver.query(f"SELECT 1; SELECT 1/0; SELECT '{text}'")
        assert driver.query("") == [[]]
    store.engine.dispose()
