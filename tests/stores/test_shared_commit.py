"""Threads that wait for a SQLite file share one commit, and nothing else."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from flask_otp_mpp.core.deadline import answer_within
from flask_otp_mpp.core.ports import StoreError, StoreUnavailable
from flask_otp_mpp.stores import SQLAlchemyStore
from flask_otp_mpp.stores.options import StoreOptions
from flask_otp_mpp.stores.sql.sqlite import PollingConnection
from flask_otp_mpp.stores.sql.statements import CompiledStatement
from flask_otp_mpp.stores.sql.transaction import Transaction
from flask_otp_mpp.testing.contract.builders import opened
from tests.stores.drivers import hear

THREADS = 6


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SQLAlchemyStore]:
    store = SQLAlchemyStore(
        f"sqlite:///{tmp_path}/otp.db", options=StoreOptions(statement_timeout=10)
    )
    store.create_tables()
    opened(store, "before")
    yield store
    store.engine.dispose()


def at_once(
    store: SQLAlchemyStore,
    work: list[Callable[[Transaction], Any]],
    *,
    durable: Collection[int] = range(THREADS),
) -> list[Future[Any]]:
    """Run work in threads that wait, while the first of them waits for another program's lock.

    :param durable: which of them have to survive a crash.
    """
    queue, path = store.database.write_queue, str(store.engine.url.database)
    assert queue is not None

    def until(waiting: int) -> None:
        end = time.monotonic() + 60
        while len(queue.waiting) != waiting or not queue._lock.locked():
            assert time.monotonic() < end
            time.sleep(0.01)

    with (
        closing(sqlite3.connect(path, isolation_level=None)) as other,
        ThreadPoolExecutor(len(work)) as pool,
    ):
        other.execute("BEGIN IMMEDIATE")
        ends = []
        for number, one in enumerate(work):
            run = partial(store.transactions.run, one, durable=number in durable)
            ends.append(pool.submit(run))
            until(number)
        other.execute("COMMIT")
    return ends


def statement(store: SQLAlchemyStore, text: str) -> CompiledStatement:
    return CompiledStatement(sa.text(text), store.engine.dialect)


def adding(store: SQLAlchemyStore, name: str) -> Callable[[Transaction], str]:
    """Return work that writes a row."""
    add = statement(store, f"INSERT INTO noted VALUES ('{name}')")

    def work(transaction: Transaction) -> str:
        transaction.read({}, add)
        return name

    return work


@pytest.fixture
def noted(store: SQLAlchemyStore) -> Callable[[], set[str]]:
    """Return a function that reads what has been committed."""
    path = str(store.engine.url.database)
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE noted (name TEXT UNIQUE)")

    def read() -> set[str]:
        with closing(sqlite3.connect(path)) as db:
            return {name for (name,) in db.execute("SELECT name FROM noted")}

    return read


def test_those_who_wait_share_one_commit(
    store: SQLAlchemyStore, noted: Callable[[], set[str]]
) -> None:
    """R6: and each gets the answer to what it has asked."""
    texts = hear(store.engine)
    names = [f"thread {number}" for number in range(THREADS)]
    ends = at_once(store, [adding(store, name) for name in names])
    assert [end.result() for end in ends] == names
    assert noted() == set(names)
    assert texts.count("COMMIT") == 2  # of the first one, and of all others


def test_what_fails_undoes_nothing_of_others(
    store: SQLAlchemyStore, noted: Callable[[], set[str]]
) -> None:
    """R6, S1: it alone raises, and what it had written before is gone."""

    def failing(transaction: Transaction) -> None:
        adding(store, "half done")(transaction)
        raise ValueError("no")

    work = [adding(store, "first"), failing, adding(store, "one"), failing, adding(store, "two")]
    ends = at_once(store, work)
    assert [end.exception() and type(end.exception()) for end in ends] == [
        None, ValueError, None, ValueError, None,
    ]  # fmt: skip
    assert noted() == {"first", "one", "two"}


def test_an_error_of_the_database_is_that_of_one_thread_alone(
    store: SQLAlchemyStore, noted: Callable[[], set[str]]
) -> None:
    """T2: as a store error, as if it had been alone."""
    wrong = statement(store, "INSERT INTO missing VALUES (1)")
    work = [
        adding(store, "first"),
        lambda transaction: transaction.read({}, wrong),
        adding(store, "one"),
    ]
    ends = at_once(store, work)
    assert isinstance(ends[1].exception(), StoreError)
    assert noted() == {"first", "one"}


def test_if_the_database_undoes_everything_nobody_is_told_otherwise(
    store: SQLAlchemyStore, noted: Callable[[], set[str]]
) -> None:
    """S1: as it may do on a full disk."""
    undo = statement(store, "ROLLBACK")
    wrong = statement(store, "INSERT INTO missing VALUES (1)")
    work = [
        adding(store, "first"),
        adding(store, "one"),
        lambda transaction: transaction.read({}, undo, wrong),
        adding(store, "two"),
    ]
    ends = at_once(store, work)
    assert [isinstance(end.exception(), StoreError) for end in ends] == [False, True, True, True]
    assert noted() == {"first"}


def test_if_the_commit_fails_nobody_is_told_otherwise(
    store: SQLAlchemyStore, noted: Callable[[], set[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """S1: and each thread gets an exception of its own."""
    names = [f"thread {number}" for number in range(THREADS)]
    execute = store.database.execute
    commits: list[object] = []

    def full(driver: Any, batch: Any, *, commit: bool, **more: bool) -> Any:
        if commit:
            commits.append(driver)
            if len(commits) > 1:
                raise sqlite3.OperationalError("database or disk is full")
        return execute(driver, batch, commit=commit, **more)

    monkeypatch.setattr(store.database, "execute", full)
    ends = at_once(store, [adding(store, name) for name in names])
    failures = [end.exception() for end in ends[1:]]
    assert all(isinstance(failure, StoreError) for failure in failures)
    assert len(set(map(id, failures))) == THREADS - 1
    assert noted() == {"thread 0"}


def test_a_thread_that_is_interrupted_tells_the_others(
    store: SQLAlchemyStore, noted: Callable[[], set[str]]
) -> None:
    """S1: such as by a time-out that gevent raises in it; nothing is committed."""

    def interrupted(transaction: Transaction) -> None:
        adding(store, "half done")(transaction)
        raise SystemExit

    ends = at_once(store, [adding(store, "first"), interrupted, adding(store, "one")])
    found = {type(end.exception()) for end in ends[1:]}
    assert found in ({SystemExit, StoreUnavailable}, {StoreUnavailable})
    assert noted() == {"first"}
    assert store.transactions.run(adding(store, "after")) == "after"


@pytest.mark.parametrize(("durable", "level"), [([1], 2), ([], 1)])
def test_the_commit_waits_for_the_disk_if_one_of_them_has_to(
    store: SQLAlchemyStore,
    noted: Callable[[], set[str]],
    monkeypatch: pytest.MonkeyPatch,
    durable: list[int],
    level: int,
) -> None:
    """A7: the end of a delivery shares the commit of what counts; 2 is FULL, and 1 is NORMAL."""
    levels: list[int] = []
    execute = PollingConnection.execute

    def watched(driver: PollingConnection, *said: Any) -> sqlite3.Cursor:
        if said[0] == "COMMIT":
            levels.append(execute(driver, "PRAGMA synchronous").fetchone()[0])
        return execute(driver, *said)

    monkeypatch.setattr(PollingConnection, "execute", watched)
    at_once(store, [adding(store, name) for name in ("one", "two", "three")], durable=durable)
    assert levels == [1, level]
    assert noted() == {"one", "two", "three"}


def test_whoever_gives_up_waiting_has_done_nothing(
    store: SQLAlchemyStore, noted: Callable[[], set[str]]
) -> None:
    """S1, O1: it is told so, and nobody does it later."""
    at_work, go_on = threading.Event(), threading.Event()

    def long(_transaction: Transaction) -> None:
        at_work.set()
        go_on.wait(60)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(store.transactions.run, long)
        assert at_work.wait(60)
        with answer_within(0.1), pytest.raises(StoreError, match="was not free"):
            store.transactions.run(adding(store, "too late"))
        go_on.set()
        first.result()
    assert store.transactions.run(adding(store, "after")) == "after"
    assert noted() == {"after"}
