"""A store keeps the connections of its verbs, replaces them in time, and leaves some to others."""

from __future__ import annotations

import gc
import sqlite3
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Barrier

import pytest
import sqlalchemy as sa

from flask_otp_mpp.stores import SQLAlchemyStore
from flask_otp_mpp.stores.options import StoreOptions
from flask_otp_mpp.stores.sql import dialect
from flask_otp_mpp.stores.sql.postgresql import PostgreSQL
from flask_otp_mpp.stores.sql.transaction import Transaction
from flask_otp_mpp.testing.contract.builders import opened
from tests.stores.on_server import tables_at
from tests.stores.servers import postgresql_url


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SQLAlchemyStore]:
    store = SQLAlchemyStore(f"sqlite:///{tmp_path}/otp.db", options=StoreOptions(pool_size=4))
    store.create_tables()
    yield store
    store.engine.dispose()


def connections_of(store: SQLAlchemyStore) -> list[object]:
    """Return a list to which each connection is added that the store opens."""
    found: list[object] = []
    sa.event.listen(store.engine, "connect", lambda driver, _: found.append(driver))
    return found


def test_verbs_that_follow_one_another_share_one_connection(store: SQLAlchemyStore) -> None:
    connections = connections_of(store)
    for number in range(5):
        opened(store, f"user {number}")
    assert len(connections) == 1


def test_to_dispose_of_the_engine_closes_what_is_kept(store: SQLAlchemyStore) -> None:
    """F9: and the store opens another connection when it needs one."""
    connections = connections_of(store)
    opened(store, "ada")
    store.engine.dispose()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connections[0].execute("SELECT 1")  # type: ignore[attr-defined]
    opened(store, "bob")
    assert len(connections) == 2


def test_half_of_the_pool_is_left_to_others(store: SQLAlchemyStore) -> None:
    """S4: such as to a purge, which is no verb, however many verbs there were at once."""
    together = Barrier(4)

    def wait(_transaction: Transaction) -> None:
        together.wait(60)

    reads = store.transactions
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: reads.retry(lambda: reads.run_once(wait, durable=True)), range(4)))
    with ExitStack() as stack:
        others = [stack.enter_context(closing(store.engine.raw_connection())) for _ in range(2)]
        # Without a place for it, each of them would have waited in vain.
        assert len({id(one.dbapi_connection) for one in others}) == 2


def test_a_store_that_is_dropped_is_gone_at_once(tmp_path: Path) -> None:
    """R6: and so are its connections, without the garbage collector."""
    store = SQLAlchemyStore(f"sqlite:///{tmp_path}/dropped.db")
    store.create_tables()
    opened(store, "ada")
    store.engine.dispose()
    gone = weakref.ref(store.transactions)
    gc.disable()
    try:
        del store
        assert gone() is None
    finally:
        gc.enable()


@pytest.mark.server
def test_an_old_connection_to_a_server_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Balancers forget connections that live long."""
    monkeypatch.setattr(dialect, "RECYCLE_SECONDS", 0)
    monkeypatch.setattr(PostgreSQL, "max_age", 0)
    with tables_at(postgresql_url("old")) as url:
        store = SQLAlchemyStore(url)
        connections = connections_of(store)
        store.get_answer("nothing")
        connections.clear()
        for _ in range(3):
            store.get_answer("nothing")
        assert len(connections) == 3
        store.engine.dispose()
