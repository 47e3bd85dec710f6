"""Nothing of a forgotten user is left in any table, column, key or value."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import redis
import sqlalchemy as sa

from flask_otp_mpp.core.challenge import Challenge, Channel
from flask_otp_mpp.core.policy import Policy
from flask_otp_mpp.core.ports import Store, StoreError
from flask_otp_mpp.core.reasons import Outcome, Reason
from flask_otp_mpp.stores.redis.store import RedisStore
from flask_otp_mpp.stores.sql.schema import metadata
from flask_otp_mpp.stores.sql.store import SQLAlchemyStore
from flask_otp_mpp.testing.contract.builders import (
    POLICY,
    QUICK,
    RIGHT,
    WRONG,
    attempt,
    draft,
    named,
)
from tests.services import MYSQL, POSTGRESQL, REDIS
from tests.stores.redis_server import client, opened_store
from tests.stores.servers import mysql_url, postgresql_url

SUBJECT = "u-4711"
PSEUDONYM = hashlib.sha256(SUBJECT.encode()).hexdigest()
# All that a store holds, one text for each row or key.
Dump: TypeAlias = Callable[[], list[str]]


def rows(store: SQLAlchemyStore) -> list[str]:
    with store.engine.connect() as db:
        tables = [db.execute(sa.select(table)).all() for table in metadata.sorted_tables]
        db.rollback()
    return [repr(tuple(row)) for table in tables for row in table]


def keys(store: RedisStore) -> list[str]:
    with client() as aside:
        found = list(aside.scan_iter(f"{store.prefix}*", count=1000))
        return [f"{key!r} {aside.hgetall(key)!r}" for key in found]


@pytest.fixture(params=["sqlite", POSTGRESQL, MYSQL, REDIS])
def dumped(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Store, Dump]]:
    """Yield a store, and what returns all that it holds."""
    if request.param == "redis":
        with opened_store() as store:
            yield store, lambda: keys(store)
    elif request.param == "sqlite":
        yield from in_sql(f"sqlite:///{tmp_path}/otp.db")
    else:
        with (postgresql_url if request.param == "postgresql" else mysql_url)("erasure") as url:
            yield from in_sql(url)


def in_sql(url: str) -> Iterator[tuple[Store, Dump]]:
    store = SQLAlchemyStore(url)
    store.create_tables()
    yield store, lambda: rows(store)
    store.engine.dispose()


def use(store: Store, subject: str) -> None:
    """Leave a row or key of every kind, and all values that can be there."""
    for caller in ("caller", "another"):
        for channel in Channel:
            asked = draft(subject, caller=caller, channel=channel, key=named())
            assert isinstance(store.reserve(asked, QUICK), Challenge)
            store.settle(asked, Outcome(asked.id))
            store.spend(attempt(asked.id, WRONG, subject=subject, caller=caller), QUICK)
    unsettled = draft(subject, key=named())
    assert isinstance(store.reserve(unsettled, QUICK), Challenge)
    store.spend(attempt(unsettled.id, RIGHT, subject=subject, key=named()), QUICK)
    store.spend(attempt("unknown", RIGHT, subject=subject, key=named()), QUICK)
    for key in (named(), None):
        assert isinstance(store.reserve(draft(subject, key=key), POLICY), Outcome)
    failed = draft(subject, key=named())
    assert isinstance(store.reserve(failed, Policy(cool_down=timedelta())), Challenge)
    store.settle(failed, Outcome(failed.id, Reason.DELIVERY_REFUSED, "a detail"))


def about(dump: list[str]) -> list[str]:
    return [row for row in dump if SUBJECT in row or PSEUDONYM in row]


def test_a_forgotten_user_is_in_no_table_and_under_no_key(dumped: tuple[Store, Dump]) -> None:
    """X9: neither by the name nor by its digest; others keep what they had."""
    store, dump = dumped
    use(store, "somebody else")
    others = sorted(dump())
    use(store, SUBJECT)
    assert len(about(dump())) > 10
    assert store.forget(SUBJECT) is True
    assert about(dump()) == []
    assert sorted(dump()) == others


@pytest.mark.server
def test_a_claim_that_a_crash_left_behind_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """X9: no key of the user leads to it, and it holds the name."""
    with opened_store() as store:
        evalsha = store.client.evalsha
        calls: list[object] = []

        def broken(*sent: Any) -> object:
            calls.append(sent)
            if len(calls) == 2:
                raise redis.ConnectionError("the process ended here")
            return evalsha(*sent)

        store.unlock("warm")
        monkeypatch.setattr(store.client, "evalsha", broken)
        with pytest.raises(StoreError):
            store.reserve(draft(SUBJECT, key=named()), POLICY)
        assert len(about(keys(store))) == 1
        assert store.forget(SUBJECT) is True
        assert keys(store) == []


@pytest.mark.server
def test_a_request_that_comes_while_its_user_is_forgotten_keeps_what_it_stores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """X9, T3: its claim was there before, and its answer is stored after the first deletion."""
    with opened_store() as store, client() as aside:
        other = RedisStore(aside, prefix=store.prefix)
        asked = draft(SUBJECT, key=named())
        store.reserve(asked, POLICY)
        delete = store.client.delete

        def delete_first(*found: Any) -> object:
            deleted = delete(*found)
            assert isinstance(other.reserve(asked, POLICY), Challenge)
            return deleted

        monkeypatch.setattr(store.client, "delete", delete_first)
        assert store.forget(SUBJECT) is True
        stored = store.get_answer(asked.request.value)
        assert stored is not None
        assert stored.outcome.reason is Reason.REQUEST_PENDING
        monkeypatch.undo()
        assert store.forget(SUBJECT) is True
        assert keys(store) == []


@pytest.mark.server
@pytest.mark.parametrize("prefix", ["otp*", "otp?x", "[ab]", "a\\", "[^a]"])
def test_a_prefix_is_no_pattern(prefix: str) -> None:
    """X9: keys of another store are neither found nor deleted."""
    with opened_store() as other, client() as aside:
        store = RedisStore(aside, prefix=f"{other.prefix}{prefix}:")
        for each in (store, other):
            each.reserve(draft(SUBJECT, key=named()), POLICY)
        assert store.forget(SUBJECT) is True
        assert store.forget(SUBJECT) is False
        assert other.forget(SUBJECT) is True


@pytest.mark.server
@pytest.mark.slow
def test_a_user_is_found_among_very_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """X9: in several batches, of which a user's keys are anywhere."""
    with opened_store() as store:
        store.reserve(draft(SUBJECT, key=named()), POLICY)
        with client() as aside, aside.pipeline(transaction=False) as pipeline:
            for number in range(5000):
                key = f"{store.prefix}{{{number}}}:claim"
                pipeline.hset(key, mapping={"digest": "d", "subject": f"user {number}"})
            pipeline.execute()
        store.reserve(draft(SUBJECT, key=named()), QUICK)
        assert store.forget(SUBJECT) is True
        assert about(keys(store)) == []
        assert len(keys(store)) == 5000
