"""A database that can't serve as a store is found by ``check``, with what would mend it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from flask_otp_mpp.core.ports import StoreError
from flask_otp_mpp.stores import SQLAlchemyStore, checks
from tests.stores.servers import mysql_url, postgresql_url


@pytest.fixture(params=["sqlite", "postgresql", "mysql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SQLAlchemyStore]:
    places = {"postgresql": postgresql_url, "mysql": mysql_url}
    if request.param == "sqlite":
        store = SQLAlchemyStore(f"sqlite:///{tmp_path}/otp.db")
        yield store
        store.engine.dispose()
        return
    with places[request.param]("checks") as url:
        store = SQLAlchemyStore(url)
        yield store
        store.engine.dispose()


def test_a_database_that_can_serve_is_named(store: SQLAlchemyStore) -> None:
    store.create_tables()
    assert store.check().endswith(", tables present")
    assert store.check().split()[0] in checks.OLDEST


def test_missing_tables_are_named_with_the_command_that_makes_them(
    store: SQLAlchemyStore,
) -> None:
    with pytest.raises(StoreError, match=r"lacks 'otp_mpp_challenges', .*run `flask otp-mpp init-"):
        store.check()
    store.create_tables()
    with store.engine.begin() as db:
        db.execute(sa.text("DROP TABLE otp_mpp_requests"))
    with pytest.raises(StoreError, match=r"lacks 'otp_mpp_requests'; run"):
        store.check()


def test_a_table_of_another_version_is_named(store: SQLAlchemyStore) -> None:
    store.create_tables()
    with store.engine.begin() as db:
        db.execute(sa.text("ALTER TABLE otp_mpp_standings DROP COLUMN forget_at"))
    with pytest.raises(StoreError, match=r"otp_mpp_standings of another version.*'forget_at'"):
        store.check()


def test_a_version_that_is_too_old_is_named(
    store: SQLAlchemyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind in checks.OLDEST:
        monkeypatch.setitem(checks.OLDEST, kind, (99, 1))
    with pytest.raises(StoreError, match=r"is too old; use \w+ 99\.1 or newer"):
        store.check()


@pytest.mark.parametrize("store", ["mysql"], indirect=True)
def test_a_table_that_would_mix_users_up_is_named(store: SQLAlchemyStore) -> None:
    """L8: somebody made it by hand, or a tool that knew no better."""
    store.create_tables()
    with store.engine.begin() as db:
        db.execute(sa.text("ALTER TABLE otp_mpp_standings MODIFY subject VARCHAR(128)"))
        db.execute(sa.text("ALTER TABLE otp_mpp_requests ENGINE=MyISAM"))
    with pytest.raises(StoreError) as caught:
        store.check()
    assert "would take 'Ada' for 'ada' in otp_mpp_standings, 'subject'" in str(caught.value)
    assert "keeps otp_mpp_requests in MyISAM, without transactions" in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ada:hunter2@127.0.0.1:1/otp",
        "mysql://ada:hunter2@127.0.0.1:1/otp?init_command=SET @x='hunter2'",
        "sqlite:////nowhere/at/all/otp.db",
    ],
)
def test_a_database_that_is_away_is_named_without_its_password(url: str) -> None:
    """P1: what was asked, what came back, and where to look."""
    store = SQLAlchemyStore(url)
    with pytest.raises(StoreError, match=r"does not answer: .*; check that it runs") as caught:
        store.check()
    shown = f"{caught.value} {caught.value.__cause__}"
    assert "hunter2" not in shown
    assert ("ada:***@127.0.0.1:1/otp" in shown) == ("ada" in url)
