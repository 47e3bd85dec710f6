"""What the store sets on its connections, whatever the server's defaults and modes are."""

from __future__ import annotations

import ssl
from typing import Any

import pymysql
import pytest
import sqlalchemy as sa

from flask_otp_mpp.core.ports import StoreError
from flask_otp_mpp.core.reasons import Reason
from flask_otp_mpp.stores import SQLAlchemyStore
from flask_otp_mpp.stores.sql import mysql
from flask_otp_mpp.testing.contract.builders import POLICY, RIGHT, WRONG, answer, opened
from tests.stores.drivers import before_each_batch, hear
from tests.stores.on_server import tables_at
from tests.stores.servers import mysql_url, own_database, postgresql_url

pytestmark = pytest.mark.server


def test_a_database_in_ascii_keeps_every_name() -> None:
    """A9: initdb under LANG=C makes such ones; the driver would give bytes for texts."""
    ascii_only = "ENCODING 'SQL_ASCII' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'"
    with own_database("ascii", ascii_only) as url:
        for given in ("", "latin1"):
            asked = url.update_query_dict({"client_encoding": given} if given else {})
            store = SQLAlchemyStore(asked.render_as_string(hide_password=False))
            store.create_tables()
            assert store.check()
            for name in ("ada", "\u00e4d\u00e4", "\u0430\u0434\u0430"):
                challenge = opened(store, name + given)
                assert answer(store, challenge, WRONG) is Reason.CODE_UNMATCHED
                assert answer(store, challenge, RIGHT) is None
            store.engine.dispose()


def test_a_transaction_is_one_in_the_mode_of_another_database(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A7: where BEGIN begins a block, what fails half way would stay half done."""
    with tables_at(mysql_url("oracle")) as url:
        store = SQLAlchemyStore(f"{url}?init_command=SET sql_mode='ORACLE'")
        challenge = opened(store)
        cut: list[str] = []

        def fail_before_commit(driver: Any, text: str) -> None:
            if text.endswith("COMMIT") and not cut:
                cut.append(text)
                *writes, _ = text.split(";")
                driver.query(f"{';'.join(writes)}; SELECT * FROM nowhere")
                driver.next_result()

        before_each_batch(store.engine, fail_before_commit)
        with pytest.raises((StoreError, pymysql.err.Error)):
            answer(store, challenge, WRONG)
        with store.engine.begin() as db:
            assert db.scalar(sa.text("SELECT attempts FROM otp_mpp_challenges")) == 0
            assert db.scalar(sa.text("SELECT failures FROM otp_mpp_user_limits")) == 0
        store.engine.dispose()


def test_the_mode_of_a_server_is_replaced() -> None:
    """A7: by the one in which the suite is run."""
    with mysql_url("mode") as url:
        store = SQLAlchemyStore(url)
        with store.engine.connect() as db:
            mode = db.scalar(sa.text("SELECT @@sql_mode"))
        assert set(mode.split(",")) == {"STRICT_ALL_TABLES", "NO_ENGINE_SUBSTITUTION"}
        store.engine.dispose()


def test_connections_of_one_engine_share_one_tls_context(monkeypatch: pytest.MonkeyPatch) -> None:
    """O1: to read the certificates of all authorities takes 26 ms of CPU; they are read again."""
    made: list[object] = []
    make = ssl.create_default_context

    def count(*arguments: Any, **options: Any) -> ssl.SSLContext:
        made.append(arguments)
        return make(*arguments, **options)

    with mysql_url("tls") as url:
        store = SQLAlchemyStore(url)
        monkeypatch.setattr(ssl, "create_default_context", count)
        hold_five(store)
        assert len(made) == 1
        monkeypatch.setattr(mysql, "TLS_SECONDS", -1)
        hold_five(store)
        assert len(made) > 1
        store.engine.dispose()


def hold_five(store: SQLAlchemyStore) -> None:
    store.engine.dispose()
    held = [store.engine.connect() for _ in range(5)]
    for db in held:
        db.close()


@pytest.mark.parametrize("durable", [True, False])
def test_a_transaction_of_postgresql_that_may_be_lost_does_not_wait_for_the_disk(
    durable: bool,
) -> None:
    """T5: such as a step of a purge; it is told as the options of the connection."""
    with postgresql_url("durable") as url:
        store = SQLAlchemyStore(url)
        with store.engine.connect().execution_options(durable=durable) as db, db.begin():
            found = db.exec_driver_sql("SHOW synchronous_commit").scalar_one()
        assert found == ("on" if durable else "off")
        store.engine.dispose()


def test_a_purge_of_postgresql_needs_no_place_of_a_row() -> None:
    """T5: which databases that speak its protocol do not have."""
    with tables_at(postgresql_url("purge")) as url:
        store = SQLAlchemyStore(url)
        texts = hear(store.engine)
        opened(store)
        store.purge(POLICY)
        assert any(text.startswith("DELETE FROM otp_mpp_challenges") for text in texts)
        assert not any("ctid" in text for text in texts)
        store.engine.dispose()
