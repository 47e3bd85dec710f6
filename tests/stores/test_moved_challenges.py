"""Whoever can write to a store can't have a code verified for another user or caller."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import pytest
import sqlalchemy as sa

from flask_otp_mpp.core.policy import Policy, Resend
from flask_otp_mpp.core.ports import Store
from flask_otp_mpp.core.reasons import Reason
from flask_otp_mpp.stores.memory import MemoryStore
from flask_otp_mpp.stores.redis.store import RedisStore
from flask_otp_mpp.stores.sql.schema import challenges
from flask_otp_mpp.stores.sql.store import SQLAlchemyStore
from tests.core.builders import CALLER, Harness, reason
from tests.services import REDIS
from tests.stores.redis_server import opened_store

OTHER = replace(CALLER, client="other")
# Gives a challenge of alice and CALLER to another user or caller, as a writer of the store can.
Move: TypeAlias = Callable[[str, str, str], None]


def moved_in_memory(store: MemoryStore) -> Move:
    def move(challenge_id: str, subject: str, caller: str) -> None:
        found = store._challenges[challenge_id]
        store._challenges[challenge_id] = replace(found, subject=subject, caller=caller)

    return move


def moved_in_sql(store: SQLAlchemyStore) -> Move:
    def move(challenge_id: str, subject: str, caller: str) -> None:
        with store.engine.begin() as db:
            row = sa.update(challenges).where(challenges.c.id == challenge_id)
            assert db.execute(row.values(subject=subject, caller=caller)).rowcount == 1

    return move


def moved_in_redis(store: RedisStore) -> Move:
    def key(subject: str, caller: str) -> str:
        tag = hashlib.sha256(subject.encode()).hexdigest()
        return f"{store.prefix}{{{tag}}}:challenges:{caller}"

    def move(challenge_id: str, subject: str, caller: str) -> None:
        field = f"id:{challenge_id}"
        value = store.client.hget(key("alice", CALLER.digest), field)
        store.client.hdel(key("alice", CALLER.digest), field)
        store.client.hset(key(subject, caller), field, value)

    return move


@pytest.fixture(params=["memory", "sqlite", REDIS])
def writable(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Store, Move]]:
    """Yield a store and what moves its challenges."""
    if request.param == "memory":
        memory = MemoryStore()
        yield memory, moved_in_memory(memory)
    elif request.param == "sqlite":
        sql = SQLAlchemyStore(f"sqlite:///{tmp_path}/otp.db")
        sql.create_tables()
        yield sql, moved_in_sql(sql)
        sql.engine.dispose()
    else:
        with opened_store() as redis:
            yield redis, moved_in_redis(redis)


@pytest.mark.parametrize("resend", list(Resend))
def test_a_challenge_that_was_moved_to_another_user_matches_no_code(
    writable: tuple[Store, Move], resend: Resend
) -> None:
    """X8: the right code is wrong for everybody but the user for whom it was made."""
    store, move = writable
    harness = Harness(Policy(resend=resend), store=store)
    harness.send("bob")  # so that something is known of bob, without which nothing is compared
    sent = harness.send("alice").challenge_id
    code = harness.inbox.code
    move(sent, "bob", CALLER.digest)
    assert reason(harness.verify, sent, code, "bob") is Reason.CODE_UNMATCHED
    assert reason(harness.verify, sent, code, "alice") is Reason.CHALLENGE_UNKNOWN


@pytest.mark.parametrize("resend", list(Resend))
def test_a_challenge_that_was_moved_to_another_caller_matches_no_code(
    writable: tuple[Store, Move], resend: Resend
) -> None:
    """X8: the same for a caller: it can't verify what was sent for another one."""
    store, move = writable
    harness = Harness(Policy(resend=resend), store=store)
    sent = harness.send("alice").challenge_id
    move(sent, "alice", OTHER.digest)
    verify = harness.verify
    assert reason(verify, sent, harness.inbox.code, caller=OTHER) is Reason.CODE_UNMATCHED


@pytest.mark.parametrize("resend", list(Resend))
def test_a_challenge_that_was_moved_back_is_as_it_was(
    writable: tuple[Store, Move], resend: Resend
) -> None:
    """X8: so the refusals above come from the digest and not from damage by the move."""
    store, move = writable
    harness = Harness(Policy(resend=resend), store=store)
    sent = harness.send("alice").challenge_id
    move(sent, "alice", CALLER.digest)
    assert reason(harness.verify, sent, harness.inbox.code) is None
