"""The SQL store keeps every promise on a SQLite file, across restarts, and fails by its name."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from flask_otp_mpp.core.challenge import Challenge, Channel
from flask_otp_mpp.core.message import Message
from flask_otp_mpp.core.ports import Store, StoreError
from flask_otp_mpp.core.reasons import Outcome, Reason
from flask_otp_mpp.stores import SQLAlchemyStore
from flask_otp_mpp.stores.options import DEFAULT, StoreOptions
from flask_otp_mpp.stores.sql.dialect import load
from flask_otp_mpp.stores.sql.sqlite import PollingConnection
from flask_otp_mpp.stores.sql.statements import CompiledStatement
from flask_otp_mpp.stores.sql.transaction import MAX_RUNS, Transaction, Transactions
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
from tests.core.builders import Harness


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SQLAlchemyStore]:
    store = SQLAlchemyStore(f"sqlite:///{tmp_path}/otp.db", FrozenClock())
    yield store
    store.engine.dispose()


VERBS: list[Callable[[Store], Any]] = [
    lambda store: store.reserve(draft("canary-subject"), POLICY),
    lambda store: store.spend(attempt("canary-id", RIGHT, subject="canary-subject"), POLICY),
    lambda store: store.look_up("canary-subject"),
    lambda store: store.unlock("canary-subject"),
    lambda store: store.purge(POLICY),
]


@pytest.mark.parametrize("verb", VERBS)
def test_a_missing_table_is_a_store_error_without_parameters(
    store: SQLAlchemyStore, verb: Callable[[Store], Any]
) -> None:
    """P1: neither the error nor what caused it shows what was to be stored."""
    with pytest.raises(StoreError, match=r"^the OTP database failed: OperationalError$") as caught:
        verb(store)
    assert "canary" not in repr(caught.value.__cause__)
    assert "canary" not in str(caught.value.__cause__)


@pytest.mark.parametrize("verb", VERBS)
def test_a_file_that_is_no_database_is_a_store_error(
    tmp_path: Path, verb: Callable[[Store], Any]
) -> None:
    (tmp_path / "otp.db").write_bytes(b"no database at all" * 100)
    store = SQLAlchemyStore(f"sqlite:///{tmp_path}/otp.db", FrozenClock())
    with pytest.raises(StoreError, match="the OTP database failed: DatabaseError"):
        verb(store)
    found = r"otp\.db can't be used: file is not a database; check the file"
    with pytest.raises(StoreError, match=found):
        store.create_tables()
    store.engine.dispose()


def test_a_failed_verb_leaves_nothing_behind(store: SQLAlchemyStore) -> None:
    """A send whose request can't be remembered is not counted either."""
    store.create_tables()
    with store.engine.begin() as db:
        db.execute(sa.text("ALTER TABLE otp_mpp_requests RENAME TO elsewhere"))
    for _ in range(3):
        with pytest.raises(StoreError):
            store.reserve(draft(), POLICY)
    with store.engine.begin() as db:
        db.execute(sa.text("ALTER TABLE elsewhere RENAME TO otp_mpp_requests"))
        for table in ("otp_mpp_challenges", "otp_mpp_user_limits", "otp_mpp_requests"):
            assert db.scalar(sa.text(f"SELECT count(*) FROM {table}")) == 0
    opened(store)


def test_tables_may_be_created_twice(store: SQLAlchemyStore) -> None:
    store.create_tables()
    challenge = opened(store)
    store.create_tables()
    assert answer(store, challenge, WRONG) is Reason.CODE_UNMATCHED


def test_a_counted_try_survives_a_power_cut(store: SQLAlchemyStore) -> None:
    """T4: SQLite is told to write every commit through to the disk, on every connection."""
    store.create_tables()
    for _ in range(2):
        connection = store.engine.raw_connection()
        cursor = connection.cursor()
        assert cursor.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
        assert cursor.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        connection.detach()  # so that the next one is new
        connection.close()


def test_a_database_that_stays_locked_is_a_store_error(
    tmp_path: Path, store: SQLAlchemyStore
) -> None:
    """Waiting has an end, for the caller waits no longer than five seconds."""
    store.create_tables()
    other = SQLAlchemyStore(f"sqlite:///{tmp_path}/otp.db?timeout=0.05", FrozenClock())
    with store.engine.begin(), pytest.raises(StoreError, match="OperationalError"):
        opened(other)
    opened(other)
    other.engine.dispose()


@pytest.mark.parametrize(
    ("collisions", "begun"), [(0, 1), (1, 2), (MAX_RUNS - 1, MAX_RUNS), (99, MAX_RUNS)]
)
def test_a_collision_of_two_nodes_is_tried_again_and_then_told(
    store: SQLAlchemyStore, collisions: int, begun: int
) -> None:
    """Two nodes may insert the same request at once; one of them then finds the other's row."""
    store.create_tables()
    left, calls = collisions, 0

    def work(_: Transaction) -> str:
        nonlocal left, calls
        calls += 1
        if left:
            left -= 1
            raise sqlite3.IntegrityError("canary")
        return "done"

    transactions = Transactions(store.engine, load("sqlite")(DEFAULT), None)
    if collisions < 99:
        assert transactions.run(work) == "done"
    else:
        with pytest.raises(StoreError, match=r"^the OTP database failed: IntegrityError$") as told:
            transactions.run(work)
        assert told.value.__cause__ is None
    assert calls == begun


def test_nothing_is_held_while_a_provider_works(store: SQLAlchemyStore) -> None:
    """S4: during the delivery no connection is in use, and somebody else can write at once."""
    store = SQLAlchemyStore(str(store.engine.url), FrozenClock(), StoreOptions(pool_size=1))
    store.create_tables()
    seen: list[object] = []

    def write() -> None:
        other = SQLAlchemyStore(str(store.engine.url), FrozenClock())
        seen.append(opened(other, "bob").subject)
        other.engine.dispose()

    def slow(user: object, message: Message) -> None:
        seen.append(store.look_up("bob").challenges)  # on the only connection
        thread = threading.Thread(target=write)
        thread.start()
        thread.join(60)  # if a lock is held here, the write fails before

    Harness(store=store, senders={Channel.MOBILE: slow}).send()
    assert seen == [(), "bob"]
    store.engine.dispose()


@pytest.fixture
def levels(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """See how synchronous each commit is: 1 may be lost in a power cut, 2 not."""
    seen: list[int] = []
    execute = PollingConnection.execute

    def watched(driver: PollingConnection, *said: Any) -> sqlite3.Cursor:
        if said[0] == "COMMIT":
            seen.append(execute(driver, "PRAGMA synchronous").fetchone()[0])
        return execute(driver, *said)

    monkeypatch.setattr(PollingConnection, "execute", watched)
    return seen


def test_only_the_end_of_a_delivery_may_be_lost_in_a_power_cut(
    store: SQLAlchemyStore, levels: list[int]
) -> None:
    """S10, A7: whatever counts waits for the disk, whatever the connection did before."""
    store.create_tables()
    asked = draft()
    levels.clear()
    reserved = store.reserve(asked, POLICY)
    assert isinstance(reserved, Challenge)
    store.settle(asked, Outcome(reserved.id))
    assert answer(store, reserved, WRONG) is Reason.CODE_UNMATCHED
    store.unlock("alice")
    assert levels == [2, 1, 2, 2]


def test_a_transaction_after_one_that_need_not_be_durable_and_fails_is_durable(
    store: SQLAlchemyStore, levels: list[int]
) -> None:
    """A7: on the same connection."""
    store.create_tables()
    levels.clear()

    def fail(transaction: Transaction) -> None:
        one = CompiledStatement(sa.select(sa.literal_column("1")), store.engine.dialect)
        assert transaction.read({}, one) == [[(1,)]]
        raise sqlite3.OperationalError("disk I/O error")

    with pytest.raises(StoreError):
        store.transactions.run(fail, durable=False)
    opened(store)
    assert levels == [2, 1]
