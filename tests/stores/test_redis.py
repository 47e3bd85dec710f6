"""The Redis store passes the store contract and refuses a client that is unfit."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from flask_otp_mpp.core.clock import utc_now
from flask_otp_mpp.core.idempotency import StoredAnswer
from flask_otp_mpp.core.ports import Store
from flask_otp_mpp.core.reasons import Outcome, Reason
from flask_otp_mpp.stores import from_url
from flask_otp_mpp.stores.redis import scripts
from flask_otp_mpp.stores.redis.store import RedisStore
from flask_otp_mpp.testing import BackendFaults, FrozenClock, SharedStoreContract
from flask_otp_mpp.testing.contract.builders import (
    POLICY,
    RIGHT,
    WRONG,
    answer,
    attempt,
    draft,
    named,
    opened,
    refused,
)
from tests.servers import free_port
from tests.stores.redis_server import URL, client, opened_store, prefixed


@pytest.mark.server
class TestRedisStore(SharedStoreContract, BackendFaults):
    """T2, A9: the contract, with races between processes, and a port without a server."""

    url = URL
    compares_in_backend = True
    expires_in_backend = True

    def make(self, folder: Path, clock: FrozenClock) -> Store:
        self.clock_in_use, self.opened = clock, ExitStack()
        self.prefix = self.opened.enter_context(prefixed())
        return self.restart()

    def opener(self, store: Store) -> Callable[[], RedisStore]:
        return partial(RedisStore, self.url, self.clock_in_use, self.prefix)

    def restart(self, store: Store | None = None) -> Store:
        opened = RedisStore(self.url, self.clock_in_use, self.prefix)
        self.opened.callback(opened.close)
        return opened

    def broken(self, folder: Path, clock: FrozenClock) -> Store:
        self.opened = ExitStack()
        return RedisStore(f"redis://127.0.0.1:{free_port()}/0", clock)

    def end(self, store: Store) -> None:
        assert isinstance(store, RedisStore)
        store.close()
        self.opened.close()

    @pytest.mark.parametrize("batch", [1, 1000])
    def test_a_purge_deletes_what_is_expired_and_nothing_else(
        self, store: Store, clock: FrozenClock, batch: int
    ) -> None:
        """T5: there is nothing to purge; what is expired is answered as if it were deleted."""
        old = opened(store)
        clock.now = old.expires_at + POLICY.retention - timedelta(microseconds=1)
        young = opened(store, "d")
        assert answer(store, old, RIGHT) is Reason.CHALLENGE_EXPIRED
        clock.forward(microseconds=1)
        assert store.purge(POLICY, batch=batch) == 0
        assert answer(store, old, RIGHT) is Reason.CHALLENGE_UNKNOWN
        assert answer(store, young, RIGHT) is None


@pytest.mark.server
@pytest.mark.parametrize("protocol", [2, 3])
def test_resp2_and_resp3_give_the_same_answers(clock: FrozenClock, protocol: int) -> None:
    """A9: RESP2 and RESP3 encode a missing value in different ways."""
    with client(protocol=protocol) as own, prefixed() as prefix:
        store = RedisStore(own, clock, prefix)
        challenge = opened(store)
        asked = attempt(challenge.id, WRONG)
        wrong = Outcome(challenge.id, Reason.CODE_UNMATCHED)
        assert store.spend(asked, POLICY) == wrong
        assert store.spend(asked, POLICY) == replace(wrong, repeated=True)
        assert refused(store).until == clock.now + POLICY.cool_down
        assert store.unlock("alice") is not None
        assert store.unlock("alice") is None
        assert answer(store, challenge, RIGHT) is None
        key = named()
        assert store.get_answer(key.value) is None
        sent = draft("bob", key=key)
        store.reserve(sent, POLICY)
        store.settle(sent, wrong)
        assert store.get_answer(key.value) == StoredAnswer(wrong, key.digest, "bob")
        assert store.forget("bob") is True
        assert store.forget("bob") is False


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(datetime(2026, 1, 1, 12, 30, 45, 123_457, UTC))


@pytest.mark.server
@pytest.mark.parametrize("scheme", ["redis", "valkey"])
def test_a_url_opens_a_store(scheme: str) -> None:
    with prefixed():  # so that there is a server
        store = from_url(URL.replace("redis", scheme, 1))
    assert isinstance(store, RedisStore)
    assert not store.unlock("nobody at all")
    store.close()


@pytest.mark.parametrize("scheme", ["rediss", "valkeys"])
def test_a_tls_url_opens_a_store(scheme: str) -> None:
    store = RedisStore(f"{scheme}://u:hunter2@host/0")
    assert isinstance(store.client, redis.Redis)
    assert issubclass(store.client.connection_pool.connection_class, redis.SSLConnection)
    store.close()


@pytest.mark.parametrize(
    "url",
    [
        "redis://u:hunter2@host:port/0",
        "redis://u:hunter2@[::1/0",
        "redis://host/0?nosuch=hunter2",
        "redis://host/0?socket_timeout=hunter2",
        "redis://host/0?protocol=9",
        "http://u:hunter2@host",
        "unix:///run/hunter2",
    ],
)
def test_an_unusable_url_is_refused_and_not_quoted(url: str) -> None:
    """F2, P1: the message says what to use, and holds no part of the password."""
    with pytest.raises(ValueError, match="is not a Redis URL; use redis://") as caught:
        RedisStore(url)
    assert "hunter2" not in repr(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_missing_redis_py_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """F2: what to install, and no password beside it."""
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ValueError, match=r"pip install 'flask-otp-mpp\[redis\]'") as caught:
        from_url("redis://u:hunter2@host/0")
    assert "hunter2" not in str(caught.value)


def test_a_client_that_decodes_or_repeats_is_refused() -> None:
    """F2: a digest is not text, and a command whose answer was lost may have been done."""
    never = Retry(NoBackoff(), 0)
    with pytest.raises(ValueError, match="use decode_responses=False"):
        RedisStore(redis.Redis(decode_responses=True, retry=never))
    with pytest.raises(ValueError, match="use decode_responses=False"):
        RedisStore("redis://127.0.0.1/0?decode_responses=yes")
    with pytest.raises(ValueError, match=r"use retry=Retry\(NoBackoff\(\), 0\)"):
        RedisStore(redis.Redis())
    with pytest.raises(ValueError, match="brace"):
        RedisStore(redis.Redis(retry=never), prefix="{otp}")


@pytest.mark.server
def test_a_client_that_was_passed_in_is_not_closed(clock: FrozenClock) -> None:
    with prefixed() as prefix, client() as own:
        store = RedisStore(own, clock, prefix)
        opened(store)
        pooled: Any = own.connection_pool.get_connection()
        store.close()
        pooled.send_command("PING")
        assert pooled.read_response() == b"PONG"
        own.connection_pool.release(pooled)


@pytest.mark.server
def test_the_time_is_the_servers_unless_a_clock_is_injected(clock: FrozenClock) -> None:
    """L4: one clock for a store, for all hosts that share it."""
    with opened_store(utc_now) as store, client() as aside:
        seconds, micros = aside.time()
        before = datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=micros)
        challenge = opened(store)
        assert before <= challenge.issued_at < before + timedelta(seconds=10)
        assert answer(store, challenge, WRONG) is Reason.CODE_UNMATCHED
        assert answer(store, challenge, RIGHT) is None
        end = refused(store).until
        assert end == challenge.issued_at + POLICY.cool_down
    with opened_store(clock) as store:
        assert opened(store).issued_at == clock.now


def test_every_reason_in_a_script_exists() -> None:
    """A9: a misspelled one would raise, and only on a branch that runs seldom."""
    found = [script for script in vars(scripts).values() if isinstance(script, scripts.Script)]
    reasons = {name for script in found for name in re.findall(r"'([A-Z]+_[A-Z]+)'", script.source)}
    assert reasons <= set(Reason.__members__)
    assert (len(found), len(reasons)) == (11, 12)
