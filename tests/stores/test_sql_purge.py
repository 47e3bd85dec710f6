"""A purge keeps out of the way: its steps are small, and it waits for nobody's row."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import pytest
import sqlalchemy as sa

from flask_otp_mpp.core.challenge import Challenge
from flask_otp_mpp.core.clock import utc_now
from flask_otp_mpp.stores import SQLAlchemyStore, StoreError, StoreOptions
from flask_otp_mpp.stores.sql import clock, write_queue
from flask_otp_mpp.stores.sql.schema import challenges
from flask_otp_mpp.testing import FrozenClock
from flask_otp_mpp.testing.contract.builders import POLICY, RIGHT, answer, opened
from tests.services import MYSQL, POSTGRESQL
from tests.stores.on_server import tables_at
from tests.stores.servers import mysql_url, postgresql_url

ROWS: Final = 450
CLOCK: Final = FrozenClock()


@pytest.fixture(params=["sqlite", POSTGRESQL, MYSQL])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SQLAlchemyStore]:
    if request.param == "sqlite":
        store = SQLAlchemyStore(f"sqlite:///{tmp_path}/otp.db", CLOCK)
        store.create_tables()
        yield store
        store.engine.dispose()
        return
    at = postgresql_url if request.param == "postgresql" else mysql_url
    with tables_at(at("purge")) as url:
        store = SQLAlchemyStore(url, CLOCK)
        yield store
        store.engine.dispose()


def fill(store: SQLAlchemyStore) -> Challenge:
    """Leave many challenges of two days ago; return the last."""
    old = opened(store)
    with store.engine.begin() as db:
        more = [asdict(replace(old, id=f"id {number}")) for number in range(ROWS - 1)]
        db.execute(sa.insert(challenges), more)
    CLOCK.forward(days=2)
    return replace(old, id=f"id {ROWS - 2}")


def deleted(store: SQLAlchemyStore, batch: int) -> list[int]:
    """Purge; return how many challenges each statement has deleted."""
    counts: list[int] = []

    def count(_db: Any, cursor: Any, text: str, *_: Any) -> None:
        if text.startswith("DELETE FROM otp_mpp_challenges"):
            counts.append(cursor.rowcount)

    sa.event.listen(store.engine, "after_cursor_execute", count)
    assert store.purge(POLICY, batch=batch) == sum(counts) + 2  # the request and the user's limits
    return counts


def test_a_step_deletes_a_batch_and_on_sqlite_not_too_many(store: SQLAlchemyStore) -> None:
    """T5: all that write to one file wait for one another."""
    fill(store)
    one_file = store.engine.dialect.name == "sqlite"
    assert deleted(store, 400) == ([200, 200, 50] if one_file else [400, 50])


def test_a_smaller_batch_is_kept_to(store: SQLAlchemyStore) -> None:
    """T5: no step takes more rows than it was told."""
    fill(store)
    assert deleted(store, 150) == [150, 150, 150, 0]


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
def test_between_two_steps_a_file_is_free_for_as_long_as_somebody_may_look_away(
    store: SQLAlchemyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T5, R6: a purge that never stood back would be met each time that somebody looks."""
    fill(store)
    aside = sa.create_engine(store.engine.url, connect_args={"timeout": 0})
    naps: list[float] = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        with aside.connect() as db:
            db.exec_driver_sql("BEGIN IMMEDIATE")  # it is free

    monkeypatch.setattr(write_queue, "time", SimpleNamespace(sleep=nap, monotonic=time.monotonic))
    counts = deleted(store, 100)
    assert len(naps) >= len(counts) > 3
    assert set(naps) == {max(write_queue.POLL_SECONDS)}
    aside.dispose()


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
def test_a_purge_of_a_file_does_not_wait_for_the_disk(store: SQLAlchemyStore) -> None:
    """T5: a power cut may bring back what was deleted, and loses no count that follows."""
    fill(store)
    levels: list[int] = []

    def level(db: sa.Connection) -> None:
        driver: Any = db.connection.dbapi_connection
        levels.append(driver.execute("PRAGMA synchronous").fetchone()[0])

    sa.event.listen(store.engine, "commit", level)
    store.purge(POLICY, batch=400)
    with store.engine.begin():
        pass
    assert levels == [1] * (len(levels) - 1) + [2]
    assert len(levels) > 3


@pytest.mark.parametrize("store", [POSTGRESQL], indirect=True)
def test_a_row_that_somebody_works_on_is_left_to_the_next_purge(store: SQLAlchemyStore) -> None:
    """T5: and is not waited for."""
    last = fill(store)
    young = opened(store, "bob")
    with store.engine.begin() as db:
        db.execute(sa.select(challenges).where(challenges.c.id == last.id).with_for_update())
        assert sum(deleted(store, 100)) == ROWS - 1
    assert store.purge(POLICY) == 1
    assert answer(store, young, RIGHT) is None


def slow_deletes(store: SQLAlchemyStore, seconds: float) -> None:
    """Let the deletion of each challenge take some time, as in a table with many dead rows."""
    with store.engine.begin() as db:
        db.exec_driver_sql(
            "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN PERFORM pg_sleep({seconds}); RETURN OLD; END $$"
        )
        db.exec_driver_sql(
            "CREATE TRIGGER wait BEFORE DELETE ON otp_mpp_challenges "
            "FOR EACH ROW EXECUTE FUNCTION wait()"
        )


@pytest.fixture
def impatient() -> Iterator[SQLAlchemyStore]:
    with tables_at(postgresql_url("purge")) as url:
        store = SQLAlchemyStore(url, CLOCK, StoreOptions(statement_timeout=1))
        yield store
        store.engine.dispose()


@pytest.mark.server
@pytest.mark.slow
def test_a_step_that_takes_too_long_is_followed_by_smaller_ones(
    impatient: SQLAlchemyStore,
) -> None:
    """T5: all rows are deleted in the end."""
    fill(impatient)
    slow_deletes(impatient, 0.004)
    assert impatient.purge(POLICY) == ROWS + 2
    assert impatient.purge(POLICY) == 0


@pytest.mark.server
@pytest.mark.slow
def test_a_small_step_that_takes_too_long_says_what_to_do(impatient: SQLAlchemyStore) -> None:
    """T5: the URL is not to blame; the time-out or the table is."""
    fill(impatient)
    slow_deletes(impatient, 0.3)
    message = "0 rows were purged, then the next 5 of otp_mpp_challenges took too long; clean"
    with pytest.raises(StoreError, match=message):
        impatient.purge(POLICY, batch=20)


def test_a_clock_that_went_back_is_told(
    store: SQLAlchemyStore, caplog: pytest.LogCaptureFixture
) -> None:
    """O8: a machine that was restored from an image keeps codes valid for longer."""
    opened(store)
    store.purge(POLICY)
    assert caplog.messages == []
    CLOCK.forward(seconds=-90)
    store.purge(POLICY)
    CLOCK.forward(seconds=90)
    [message] = caplog.messages
    assert "went back: its newest code was issued 90 s after now" in message


def test_a_clock_that_went_back_is_told_when_an_app_starts(
    store: SQLAlchemyStore, caplog: pytest.LogCaptureFixture
) -> None:
    """O8: `check` is what an app that starts to serve asks."""
    opened(store)
    CLOCK.forward(seconds=-90)
    store.check()
    CLOCK.forward(seconds=90)
    [message] = caplog.messages
    assert "went back: its newest code was issued 90 s after now" in message


@pytest.mark.server
@pytest.mark.parametrize(("hours", "told"), [(-1, "3600 s ahead of"), (1, "3600 s behind")])
def test_a_server_whose_clock_is_apart_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, hours: int, told: str
) -> None:
    """O8: which of the two is wrong, the operator finds out."""
    with tables_at(postgresql_url("purge")) as url:
        store = SQLAlchemyStore(url)
        store.check()
        assert caplog.messages == []
        monkeypatch.setattr(clock, "utc_now", lambda: utc_now() + timedelta(hours=hours))
        store.check()
        store.engine.dispose()
    [message] = caplog.messages
    assert told in message
