"""A server that is killed, and another one that takes over, grant nothing twice and lose no count.

Clusters of the tests' own: PostgreSQL with a synchronous standby, PgBouncer, and Galera with one
writer. What is checked is counted by a crowd, and explained by recorded histories.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from flask_otp_mpp.core.clock import Clock
from flask_otp_mpp.core.ports import UnfitStore
from flask_otp_mpp.stores import SQLAlchemyStore, StoreOptions
from flask_otp_mpp.testing import FrozenClock
from tests.faults.crowds import EXACT, check_histories, crowd
from tests.faults.proxy import FaultProxy, proxy_to
from tests.stores.own_servers import (
    GaleraNode,
    PostgreSQLServer,
    galera_cluster,
    pgbouncer,
    postgresql_pair,
)
from tests.stores.servers import own_database

pytestmark = [pytest.mark.server, pytest.mark.slow]
OPTIONS = StoreOptions(pool_size=32)


@contextmanager
def store_at(url: sa.URL, clock: Clock | None = None) -> Iterator[SQLAlchemyStore]:
    store = SQLAlchemyStore(url.render_as_string(hide_password=False), clock, OPTIONS)
    store.create_tables()
    yield store
    store.engine.dispose()


def test_a_synchronous_standby_takes_over_from_a_primary_that_was_killed() -> None:
    """T4, A1, L6: of many right codes one wins, five wrong ones are judged, no send is over."""
    with postgresql_pair() as (primary, standby):
        two = {"host": [f"127.0.0.1:{server.port}" for server in (primary, standby)]}
        url = primary.url.set(host=None, port=None).update_query_dict(
            {**two, "target_session_attrs": "read-write"}
        )
        _refuses_to_write_to(standby)

        def fail_over() -> None:
            primary.kill()
            standby.promote()
            # It has no standby of its own, and would wait for one.
            standby.ask(
                "ALTER SYSTEM SET synchronous_standby_names = ''", "SELECT pg_reload_conf()"
            )

        clock = FrozenClock()
        with store_at(url) as store, store_at(url, clock) as recorded:
            assert crowd(store, 0, lambda: None) == EXACT
            for number in (1, 2, 3):
                assert (
                    check_histories(recorded, clock, range(number, number + 1), lambda _: None) == 0
                )
            assert crowd(store, 1, fail_over) == EXACT
            assert crowd(store, 2, lambda: None) == EXACT
            check_histories(recorded, clock, range(10, 14), lambda _: None)


def _refuses_to_write_to(standby: PostgreSQLServer) -> None:
    store = SQLAlchemyStore(standby.url.render_as_string(hide_password=False))
    with pytest.raises(UnfitStore, match="because it is a standby; name the primary"):
        store.check()
    store.engine.dispose()


@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_a_pooler_with_its_own_defaults_that_is_killed_costs_no_promise(
    mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    """T4, A1, L6: PgBouncer refuses options, and no time-out is left on what others get next."""
    with own_database("pooler") as database, pgbouncer(database, mode) as bouncer:
        clock = FrozenClock()

        def restart(history: int = 2) -> None:
            if history == 2:
                bouncer.kill()
                bouncer.start()

        with store_at(bouncer.url) as store, store_at(bouncer.url, clock) as recorded:
            assert store.check()
            assert crowd(store, 0, restart) == EXACT
            check_histories(recorded, clock, range(4), restart)
            assert crowd(store, 1, lambda: None) == EXACT
            with store.engine.begin() as db:
                inside = [db.exec_driver_sql(f"SHOW {name}").scalar_one() for name in BOUNDS]
            assert inside == ["2s", "2s", "5s"]
        assert [bouncer.ask(f"SHOW {name}") for name in BOUNDS] == ["0", "0", "0"]
        assert caplog.text.count("the OTP database's pooler refuses options") >= 1


BOUNDS = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")


@pytest.fixture(scope="module")
def nodes() -> Iterator[list[GaleraNode]]:
    with galera_cluster() as nodes:
        yield nodes


def test_a_galera_cluster_is_refused_unless_one_writer_is_declared(nodes: list[GaleraNode]) -> None:
    """F2: by what it says of itself."""
    url = nodes[0].url.set(database="otp")
    with store_at(url) as store, pytest.raises(UnfitStore) as caught:
        store.check()
    assert "is a node of a Galera cluster of 3, and each node locks rows for its" in str(
        caught.value
    )
    assert "declare it by writer=single in the query of OTP_MPP_STORE" in str(caught.value)
    with store_at(url.update_query_dict({"writer": "single"})) as store:
        assert store.check().startswith("MariaDB 1")
        nodes[0].ask("SET GLOBAL read_only = ON")
        with pytest.raises(UnfitStore, match="can only be read, because read_only is ON; name"):
            store.check()
        nodes[0].ask("SET GLOBAL read_only = OFF")


def test_a_galera_cluster_with_one_writer_that_is_killed_grants_nothing_twice(
    nodes: list[GaleraNode],
) -> None:
    """T4, A1, L6: another node takes all writes from then on."""
    first, second, _ = nodes
    clock = FrozenClock()
    with proxy_to("127.0.0.1", first.port) as proxy:
        url = first.url.set(database="otp", port=proxy.port).update_query_dict({"writer": "single"})
        with store_at(url) as store, store_at(url, clock) as recorded:
            assert crowd(store, 0, lambda: None) == EXACT
            check_histories(recorded, clock, range(2), lambda _: None)
            assert crowd(store, 1, lambda: _move(proxy, first, second)) == EXACT
            assert crowd(store, 2, lambda: None) == EXACT
            check_histories(recorded, clock, range(10, 14), lambda _: None)


def _move(proxy: FaultProxy, old: GaleraNode, new: GaleraNode) -> None:
    old.kill()
    proxy.redirect("127.0.0.1", new.port)
