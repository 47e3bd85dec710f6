"""The writers of an SQLite file wait in a queue, within and between processes, and not for long."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from flask_otp_mpp.core.ports import StoreError
from flask_otp_mpp.stores import SQLAlchemyStore
from flask_otp_mpp.stores.options import StoreOptions
from flask_otp_mpp.stores.sql.sqlite import PollingConnection
from flask_otp_mpp.stores.sql.write_queue import WriteQueue
from flask_otp_mpp.testing.contract.builders import RIGHT, answer, opened

SHORT = 0.05


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/otp.db"


@pytest.fixture
def store(url: str) -> Iterator[SQLAlchemyStore]:
    store = SQLAlchemyStore(url)
    store.create_tables()
    yield store
    store.engine.dispose()


@pytest.mark.slow
def test_who_waits_writes_soon_after_the_file_is_free(store: SQLAlchemyStore, url: str) -> None:
    """R6: SQLite itself would sleep for up to a tenth of a second, and find another one there."""
    other = SQLAlchemyStore(url)
    opened(other, "to have a connection")
    late: list[float] = []
    for number in range(5):
        with ThreadPoolExecutor() as pool:
            with store.engine.begin():
                waiting = pool.submit(opened, other, f"user {number}")
                time.sleep(0.25)  # by now SQLite would sleep longest
                free = time.monotonic()
            waiting.result()
            late.append(time.monotonic() - free)
    other.engine.dispose()
    assert sorted(late)[2] < 0.03  # by SQLite's own waiting it is 0.05 on the average


def test_threads_write_one_after_the_other(store: SQLAlchemyStore) -> None:
    """R6: only one of a process waits for the file; the others hold no connection."""
    connections: list[object] = []
    store.engine.dispose()
    sa.event.listen(store.engine, "connect", lambda driver, _: connections.append(driver))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: opened(store, f"user {number}"), range(40)))
    assert len(connections) == 1


def test_what_only_reads_does_not_wait_in_the_queue(url: str, store: SQLAlchemyStore) -> None:
    """S4: a request that is repeated is answered while another one is written."""
    writing, read = threading.Event(), threading.Event()
    moment = opened(store).issued_at

    def clock() -> datetime:
        if threading.current_thread() is not threading.main_thread():
            writing.set()
            assert read.wait(10)
        return moment

    timed = SQLAlchemyStore(url, clock)
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(timed.unlock, "alice")
        assert writing.wait(10)
        assert timed.get_answer("nothing") is None
        read.set()
        assert not waiting.result()
    timed.engine.dispose()


def test_a_turn_that_does_not_come_is_told() -> None:
    queue = WriteQueue(SHORT)
    not_free = pytest.raises(StoreError, match=r"^the OTP database was not free for 0.05 s")
    with queue, not_free, queue:
        pytest.fail("two have their turn at once")
    with queue:
        pass  # it ended


@pytest.mark.slow
def test_waiting_for_a_turn_and_then_for_the_file_ends_before_the_caller_gives_up(
    store: SQLAlchemyStore, url: str
) -> None:
    """S4: somebody keeps the file; who comes while another waits does not wait twice as long."""
    options = StoreOptions(statement_timeout=1)
    other = SQLAlchemyStore(url, options=options)
    other.check()
    waits: list[float] = []

    def work(number: int) -> None:
        time.sleep(number / 10)
        began = time.monotonic()
        with pytest.raises(StoreError):
            opened(other, f"user {number}")
        waits.append(time.monotonic() - began)

    with ThreadPoolExecutor() as pool, store.engine.begin():
        list(pool.map(work, range(4)))
    other.engine.dispose()
    assert len(waits) == 4
    assert max(waits) < options.statement_timeout + options.silence_timeout + 0.5


def test_a_verb_that_fails_ends_its_turn(url: str) -> None:
    store = SQLAlchemyStore(url, options=StoreOptions(statement_timeout=0))
    for _ in range(2):
        with pytest.raises(StoreError, match="failed: OperationalError"):  # there are no tables
            store.get_answer("nothing")
        with pytest.raises(StoreError, match="failed: OperationalError"):
            store.unlock("alice")
    store.engine.dispose()


def test_a_forked_worker_does_not_wait_for_a_turn_of_its_parent() -> None:
    """F9: the thread whose turn it was is not there."""
    queue = WriteQueue(wait_seconds=0)
    with queue:
        child = os.fork()
        if child == 0:
            try:
                with queue:
                    os._exit(0)
            finally:
                os._exit(1)
        _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def test_another_error_than_a_busy_file_is_told_at_once(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "otp.db", factory=PollingConnection)
    connection.prepare()
    assert connection.wait_seconds == 5
    began = time.monotonic()
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        connection.execute("SELECT * FROM challenges")
    assert time.monotonic() - began < 1
    connection.close()


SCRIPT = """
import sys
from flask_otp_mpp import SQLAlchemyStore
from flask_otp_mpp.testing.contract.builders import RIGHT, answer, opened

store = SQLAlchemyStore(sys.argv[1])
for number in range(20):
    assert answer(store, opened(store, f"{sys.argv[2]} {number}"), RIGHT) is None
"""


@pytest.mark.slow
def test_four_processes_write_at_once_and_none_fails(store: SQLAlchemyStore, url: str) -> None:
    """T4: each of 240 transactions comes to its turn."""
    asked = [
        subprocess.Popen([sys.executable, "-c", SCRIPT, url, str(number)]) for number in range(4)
    ]
    assert [process.wait(60) for process in asked] == [0] * 4
    with store.engine.begin() as db:
        used = "SELECT count(*) FROM otp_mpp_challenges WHERE used_at IS NOT NULL"
        assert db.exec_driver_sql(used).scalar_one() == 80


@pytest.mark.slow
def test_threads_that_are_served_beside_another_process_are_not_forgotten(
    store: SQLAlchemyStore, url: str
) -> None:
    """R6: the other one writes all the time; nobody here waits for longer than a caller would."""
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, url, "other"])
    waits: list[float] = []

    def work(number: int) -> None:
        began = time.monotonic()
        assert answer(store, opened(store, f"user {number}"), RIGHT) is None
        waits.append(time.monotonic() - began)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert process.wait(60) == 0
    assert len(waits) == 8
    assert max(waits) < 2
