"""A server that goes away, waits, or has another clock than we costs little and grants nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta, tzinfo
from typing import Any, Final

import pytest
import sqlalchemy as sa

from flask_otp_mpp.core import clock
from flask_otp_mpp.core.clock import utc_now
from flask_otp_mpp.core.ports import StoreError
from flask_otp_mpp.core.reasons import Reason
from flask_otp_mpp.stores import SQLAlchemyStore, StoreOptions, from_url
from flask_otp_mpp.stores.sql import transaction
from flask_otp_mpp.stores.sql.dialect import load
from flask_otp_mpp.stores.sql.schema import challenges, requests, user_limits
from flask_otp_mpp.testing import FrozenClock
from flask_otp_mpp.testing.contract.builders import (
    POLICY,
    RIGHT,
    WRONG,
    answer,
    attempt,
    draft,
    opened,
)
from tests.stores.drivers import before_each_batch, begins, hear
from tests.stores.on_server import tables_at
from tests.stores.servers import MYSQL, POSTGRESQL, mysql_url, postgresql_url, run

pytestmark = pytest.mark.server

KINDS: Final = {"postgresql": postgresql_url, "mysql": mysql_url}
SLOW: Final = 30
"""Seconds that a machine under load may need for what is done at once on another."""
OWN_ID: Final = {"postgresql": "SELECT pg_backend_pid()", "mysql": "SELECT CONNECTION_ID()"}
ENDS: Final = {
    "postgresql": (
        POSTGRESQL,
        "SELECT pg_terminate_backend({})",
        "SELECT count(*) FROM pg_stat_activity WHERE pid = {}",
    ),
    "mysql": (
        MYSQL,
        "KILL {}",
        "SELECT count(*) FROM information_schema.processlist WHERE id = {}",
    ),
}


@pytest.fixture(scope="module", params=list(KINDS))
def place(request: pytest.FixtureRequest) -> Iterator[str]:
    with tables_at(KINDS[request.param]("faults")) as url:
        yield url


@pytest.fixture(autouse=True)
def in_no_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a verb be run again however long its first run took."""
    monkeypatch.setattr(transaction, "RETRY_SECONDS", SLOW)


@pytest.fixture
def store(place: str) -> Iterator[SQLAlchemyStore]:
    store = SQLAlchemyStore(place)
    with store.engine.begin() as db:
        for table in ("challenges", "user_limits", "requests"):
            db.execute(sa.text(f"DELETE FROM otp_mpp_{table}"))
    yield store
    store.engine.dispose()


def kill(store: SQLAlchemyStore, session: int) -> None:
    """End a connection from the server's side, as its restart would; wait until it is gone."""
    server, end, there = ENDS[store.engine.dialect.name]
    admin = sa.create_engine(run(server, end.format(session)), poolclass=sa.NullPool)
    until = time.monotonic() + SLOW
    while time.monotonic() < until:
        with admin.connect() as db:
            if not db.exec_driver_sql(there.format(session)).scalar_one():
                return
    pytest.fail("the server does not end a connection")


def session_of(db: sa.Connection) -> int:
    return int(db.exec_driver_sql(OWN_ID[db.dialect.name]).scalar_one())


def session_behind(driver: Any) -> int:
    """Return the server's name of a driver's connection."""
    pid: int = driver.info.backend_pid if hasattr(driver, "info") else driver.thread_id()
    return pid


@contextmanager
def held(store: SQLAlchemyStore, subject: str = "alice") -> Iterator[sa.Connection]:
    """Be another host that has a user's row."""
    other = sa.create_engine(store.engine.url)
    with other.begin() as db:
        taking = sa.select(user_limits).where(user_limits.c.subject == subject).with_for_update()
        assert db.execute(taking).first() is not None
        yield db
    other.dispose()


def test_connections_that_a_restart_has_ended_cost_no_answer(store: SQLAlchemyStore) -> None:
    """O1: the first verb finds out before anything is done, and is run on a new connection."""
    challenge = opened(store)
    with store.engine.connect() as one, store.engine.connect() as two:
        sessions = [session_of(db) for db in (one, two)]
    for session in sessions:
        kill(store, session)
    assert answer(store, challenge, WRONG) is Reason.CODE_UNMATCHED
    assert answer(store, challenge, RIGHT) is None


def test_a_connection_lost_before_commit_is_run_again_and_counted_once(
    store: SQLAlchemyStore,
) -> None:
    """A7: the server has rolled the first run back."""
    challenge = opened(store)
    runs: list[str] = []

    def cut(driver: Any, text: str) -> None:
        if begins(text) and not runs:
            runs.append("cut")
            kill(store, session_behind(driver))

    before_each_batch(store.engine, cut)
    for _ in range(POLICY.tries):
        assert answer(store, challenge, WRONG) is Reason.CODE_UNMATCHED
    assert runs == ["cut"]
    assert answer(store, challenge, RIGHT) is Reason.TRIES_SPENT


def test_a_failure_at_commit_is_told_and_never_run_again(store: SQLAlchemyStore) -> None:
    """A7: it may have been done; the caller's repeat gets the stored answer if it was."""
    challenge = opened(store)
    runs: list[bool] = []

    def cut(driver: Any, text: str) -> None:
        runs.append(text.endswith("COMMIT"))
        if runs[-1] and runs.count(True) == 1:
            kill(store, session_behind(driver))

    before_each_batch(store.engine, cut)
    store.get_answer("nothing")  # so that a connection is open
    runs.clear()
    with pytest.raises(StoreError, match=r"^the OTP database failed at COMMIT: OperationalError$"):
        answer(store, challenge, WRONG)
    assert runs == [False, True]
    assert answer(store, challenge, RIGHT) is None


WAITING: Final = {
    "postgresql": "SELECT count(*) FROM pg_locks WHERE NOT granted",
    "mysql": "SELECT count(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'",
}


def _runs_of_a_verb_in_a_deadlock(store: SQLAlchemyStore, subject: str) -> int:
    """Let a verb and another transaction wait for each other; return how often the verb began."""
    challenge = opened(store, subject)
    texts = hear(store.engine)
    deciding, other = threading.Event(), sa.create_engine(store.engine.url)

    def see(_driver: object, text: str) -> None:
        if text.endswith("COMMIT"):
            deciding.set()

    before_each_batch(store.engine, see)
    limits = sa.select(user_limits).where(user_limits.c.subject == subject)
    with ThreadPoolExecutor() as pool, other.connect() as db, other.connect() as admin:
        # PostgreSQL rolls back who looks for the deadlock first, MariaDB who has written less.
        if store.engine.dialect.name == "postgresql":
            db.exec_driver_sql(f"SET LOCAL deadlock_timeout = '{SLOW}s'")
        rows = [
            {"key": f"row {number}", "challenge_id": "", "detail": "", "keep_until": utc_now()}
            for number in range(20)
        ]
        db.execute(sa.insert(requests), rows)
        db.execute(sa.select(challenges).where(challenges.c.id == challenge.id).with_for_update())
        verb = pool.submit(answer, store, challenge, WRONG)
        assert deciding.wait(SLOW)
        until = time.monotonic() + SLOW
        while not admin.exec_driver_sql(WAITING[store.engine.dialect.name]).scalar_one():
            assert time.monotonic() < until, "the verb does not wait for the challenge"
            admin.rollback()
            time.sleep(0.15)  # MariaDB looks again after a tenth of a second
        with suppress(sa.exc.OperationalError):
            db.execute(limits.with_for_update())
        db.rollback()
        assert verb.result() is Reason.CODE_UNMATCHED
        assert db.execute(limits).one().failures == 1
    other.dispose()
    return sum(map(begins, texts))


@pytest.mark.slow
def test_a_verb_that_a_deadlock_has_rolled_back_is_run_again(place: str) -> None:
    """O1: the server has rolled one of two back, and the other goes on."""
    for number in range(5):  # until it is the verb that MariaDB rolls back
        # PostgreSQL looks for deadlocks after a second; on a slow machine no wait may end before.
        store = SQLAlchemyStore(place, options=StoreOptions(statement_timeout=SLOW))
        runs = _runs_of_a_verb_in_a_deadlock(store, f"ada {number}")
        store.engine.dispose()
        if runs > 1:
            break
    # More than two if the verb took the row again before the other transaction had woken up.
    assert runs > 1


@pytest.mark.slow
def test_a_row_that_stays_locked_is_waited_for_once_and_not_long(
    place: str, store: SQLAlchemyStore
) -> None:
    """S1: whoever waited in vain is told so; nothing was counted."""
    challenge = opened(store)
    options = StoreOptions(statement_timeout=1)
    waiting = SQLAlchemyStore(place, options=options)
    texts = hear(waiting.engine)
    began = time.monotonic()
    with held(store), pytest.raises(StoreError, match="OperationalError"):
        answer(waiting, challenge, WRONG)
    waiting.engine.dispose()
    assert options.statement_timeout - 0.5 < time.monotonic() - began < SLOW
    assert sum(map(begins, texts)) == 1
    assert not store.unlock("alice")


@pytest.mark.slow
def test_a_server_that_says_nothing_is_treated_as_lost(
    place: str, store: SQLAlchemyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S4: even where it does not end the statement itself; nothing hangs for ever."""
    monkeypatch.setattr(transaction, "RETRY_SECONDS", 0)
    challenge = opened(store)
    url = with_options(place, "-c statement_timeout=0 -c lock_timeout=0")
    if "mysql" in url:
        url += f"?init_command=SET SESSION innodb_lock_wait_timeout = {SLOW}"
    silent = SQLAlchemyStore(url, options=StoreOptions(statement_timeout=1))
    began = time.monotonic()
    with held(store), pytest.raises(StoreError, match="OperationalError"):
        answer(silent, challenge, WRONG)
    assert time.monotonic() - began < SLOW / 2
    silent.engine.dispose()


def with_options(url: str, options: str) -> str:
    """Add to what a URL says to PostgreSQL; MySQL has nothing of the kind."""
    parsed = sa.make_url(url)
    if "options" in parsed.query:
        parsed = parsed.update_query_dict({"options": f"{parsed.query['options']} {options}"})
    return parsed.render_as_string(hide_password=False)


def shown(url: str, *statements: str) -> list[str]:
    store = SQLAlchemyStore(url)
    with store.engine.connect() as db:
        found = [str(db.exec_driver_sql(text).scalar_one()) for text in statements]
    store.engine.dispose()
    return found


def test_waiting_is_bounded_unless_the_url_says_otherwise() -> None:
    """F2: what the query of a URL says is what counts, for PostgreSQL and for MySQL."""
    with postgresql_url("bounds") as url:
        names = ("statement_timeout", "lock_timeout", "application_name", "transaction_isolation")
        asked = [f"SHOW {name}" for name in names]
        assert shown(url, *asked) == ["2s", "2s", "flask-otp-mpp", "read committed"]
        mine = with_options(url, "-c lock_timeout=700ms") + "&application_name=mine"
        assert shown(mine, *asked) == ["2s", "700ms", "mine", "read committed"]
    with mysql_url("bounds") as url:
        ask = "SELECT @@innodb_lock_wait_timeout"
        assert shown(url, ask, "SELECT FIND_IN_SET('STRICT_ALL_TABLES', @@sql_mode) > 0") == [
            "2",
            "1",
        ]
        assert shown(f"{url}?init_command=SET SESSION innodb_lock_wait_timeout=7", ask) == ["7"]


def test_a_replica_is_left_for_the_primary(store: SQLAlchemyStore) -> None:
    """O1: after a failover the old connections lead to a server that may only be read."""
    with store.engine.connect() as db:
        db.exec_driver_sql(
            "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"
            if db.dialect.name == "postgresql"
            else "SET SESSION TRANSACTION READ ONLY"
        )
        db.commit()
    assert answer(store, opened(store), RIGHT) is None


def test_the_server_decides_what_time_it_is(
    store: SQLAlchemyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """L4: two hosts whose clocks are an hour apart agree on the end of a code and of a pause."""

    def host(hours: int) -> SQLAlchemyStore:
        class Shifted(datetime):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
                return datetime.now(tz) + timedelta(hours=hours)

        monkeypatch.setattr(clock, "datetime", Shifted)
        made = from_url(store.engine.url.render_as_string(hide_password=False), utc_now)
        assert isinstance(made, SQLAlchemyStore)
        return made

    late = host(-1)
    challenge = opened(late)
    monkeypatch.undo()
    assert abs(challenge.issued_at - utc_now()) < timedelta(minutes=1)  # the server is this machine
    early = host(+1)
    assert utc_now() - challenge.issued_at > timedelta(minutes=59)
    found = early.reserve(draft(), POLICY)
    assert found.reason is Reason.SEND_LIMITED  # type: ignore[union-attr]
    assert answer(early, challenge, RIGHT) is None
    late.engine.dispose()
    early.engine.dispose()


def test_a_clock_that_was_passed_decides(store: SQLAlchemyStore) -> None:
    """L4: one clock a store."""
    clock = FrozenClock()
    other = SQLAlchemyStore(store.engine.url.render_as_string(hide_password=False), clock)
    assert opened(other).issued_at == clock.now
    other.engine.dispose()


def test_the_time_is_read_after_the_row_is_taken(store: SQLAlchemyStore) -> None:
    """L4: who waits must not judge by the time at which the waiting began."""
    challenge = opened(store)
    times: list[int] = []
    with held(store) as db:
        waiting = threading.Thread(target=store.spend, args=[attempt(challenge.id, RIGHT), POLICY])
        waiting.start()
        time.sleep(0.2)
        times.append(db.exec_driver_sql(f"SELECT {load(db.dialect.name).time}").scalar_one())
    waiting.join(SLOW)
    with store.engine.begin() as db:
        used = db.scalar(sa.text("SELECT used_at FROM otp_mpp_challenges"))
    assert used >= times[0]
