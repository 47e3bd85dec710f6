"""The Redis store when its server restarts, loses data, hangs, or is full, old or a cluster."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from flask_otp_mpp.core.challenge import Challenge, Channel
from flask_otp_mpp.core.idempotency import NOT_COUNTED, StoredAnswer
from flask_otp_mpp.core.ports import StoreError, UnfitStore
from flask_otp_mpp.core.reasons import Outcome, Reason
from flask_otp_mpp.stores.redis.store import RedisStore
from flask_otp_mpp.testing import FrozenClock
from flask_otp_mpp.testing.contract.builders import (
    POLICY,
    QUICK,
    RIGHT,
    WRONG,
    answer,
    attempt,
    draft,
    named,
    opened,
)
from tests.servers import free_port
from tests.stores.redis_server import PrivateRedis, client, documented_rule, private_redis

pytestmark = pytest.mark.server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PrivateRedis]:
    with private_redis(tmp_path) as server:
        yield server


@pytest.fixture
def aside(server: PrivateRedis) -> Iterator[redis.Redis]:
    with client(server.url) as aside:
        yield aside


@pytest.fixture
def store(server: PrivateRedis) -> Iterator[RedisStore]:
    store = RedisStore(server.url, FrozenClock())
    yield store
    store.close()


def test_missing_scripts_are_sent_again(store: RedisStore, aside: redis.Redis) -> None:
    """T2: after SCRIPT FLUSH, as after a failover, every method works, and works once."""
    challenge = opened(store)
    verbs: list[Callable[[], Any]] = [
        lambda: answer(store, challenge, WRONG),
        lambda: store.reserve(draft("bob"), POLICY),
        lambda: store.settle(draft("eve"), Outcome("lost")),
        lambda: store.look_up("alice"),
        lambda: store.unlock("alice"),
        lambda: store.reserve(draft("ned", key=named()), POLICY),
        lambda: store.get_answer("nothing"),
        lambda: store.forget("ned"),
        lambda: store.spend(attempt("nothing", RIGHT, key=named(not_cached=NOT_COUNTED)), POLICY),
    ]
    for verb in verbs:
        aside.script_flush()
        verb()
    aside.script_flush()
    for _ in range(4):
        assert answer(store, challenge, WRONG) is Reason.CODE_UNMATCHED
    assert answer(store, challenge, RIGHT) is Reason.TRIES_SPENT


def command(aside: redis.Redis, *words: str | int) -> Any:
    return aside.execute_command(*words)  # type: ignore[no-untyped-call]


def calls(aside: redis.Redis) -> dict[str, int]:
    """Count the commands that the server ran, for a client or for a script."""
    stats: dict[str, dict[str, int]] = aside.info("commandstats")
    return {name.removeprefix("cmdstat_"): found["calls"] for name, found in stats.items()}


def test_a_method_is_one_round_trip(store: RedisStore, aside: redis.Redis) -> None:
    opened(store, "warm")
    answer(store, opened(store, "warm too"), WRONG)
    store.unlock("warm too")
    aside.config_resetstat()
    challenge = opened(store)  # reserved and settled
    answer(store, challenge, WRONG)
    store.unlock("alice")
    found = calls(aside)
    assert found["evalsha"] == 4
    assert found.keys().isdisjoint({"eval", "script|load", "ping", "multi", "watch"})


def test_after_a_restart_without_persistence_the_store_works_again(
    store: RedisStore, server: PrivateRedis
) -> None:
    """T4: every code that was sent is unknown; the closed connection in the pool is detected."""
    challenge = opened(store)
    server.stop()
    for _ in range(2):
        with pytest.raises(StoreError, match=r"^the OTP store in Redis failed: ConnectionError$"):
            answer(store, challenge, RIGHT)
    server.start()
    assert answer(store, challenge, RIGHT) is Reason.CHALLENGE_UNKNOWN
    assert answer(store, opened(store), RIGHT) is None


def test_a_restart_with_appendfsync_always_loses_nothing(tmp_path: Path) -> None:
    """T4: kill -9 restores no try, and a used code stays used."""
    file = ("--appendonly", "yes", "--appendfsync", "always")
    with private_redis(tmp_path, *file) as server:
        store = RedisStore(server.url, FrozenClock())
        used, tried = opened(store), opened(store, "bob")
        assert answer(store, used, RIGHT) is None
        for _ in range(5):
            assert answer(store, tried, WRONG) is Reason.CODE_UNMATCHED
        server.stop()
        server.start()
        assert answer(store, used, RIGHT) is Reason.CHALLENGE_USED
        assert answer(store, tried, RIGHT) is Reason.TRIES_SPENT
        assert isinstance(store.reserve(draft(), POLICY), Outcome)  # the cool-down
        store.close()


def test_lost_user_limits_grant_no_guess(store: RedisStore, aside: redis.Redis) -> None:
    """A2: if the count of failures was evicted, the open challenges are unknown, too."""
    challenge = opened(store)
    answer(store, challenge, WRONG)
    (limits,) = aside.keys("*:limits")
    aside.delete(limits)
    for digest in (RIGHT, WRONG):
        assert answer(store, challenge, digest) is Reason.CHALLENGE_UNKNOWN


def test_a_full_server_changes_nothing(store: RedisStore, aside: redis.Redis) -> None:
    """S1: a refused write is a StoreError, and nothing was counted."""
    challenge = opened(store, policy=QUICK)
    before = {key: aside.hgetall(key) for key in aside.scan_iter()}
    aside.config_set("maxmemory", "1")
    asked = attempt(challenge.id, WRONG)
    with pytest.raises(StoreError, match="OutOfMemoryError"):
        store.reserve(draft(), QUICK)
    with pytest.raises(StoreError, match="OutOfMemoryError"):
        store.spend(asked, QUICK)
    aside.config_set("maxmemory", "0")
    assert {key: aside.hgetall(key) for key in aside.scan_iter()} == before
    assert not store.spend(asked, QUICK).repeated


def test_a_server_that_hangs_is_an_error_in_time(store: RedisStore, server: PrivateRedis) -> None:
    """S4: on an open connection and on a new one; a caller waits five seconds at most."""
    challenge = opened(store)
    server.process.send_signal(signal.SIGSTOP)
    try:
        for _ in range(2):
            begun = time.monotonic()
            with pytest.raises(StoreError, match="TimeoutError"):
                answer(store, challenge, WRONG)
            assert time.monotonic() - begun < 3.5
    finally:
        server.process.send_signal(signal.SIGCONT)
    assert answer(store, challenge, RIGHT) is None


def test_a_command_whose_answer_was_lost_is_not_sent_again(
    store: RedisStore, server: PrivateRedis, aside: redis.Redis
) -> None:
    """S10: it may have been done; a repeat by the caller then finds what was done."""
    asked = draft()
    opened(store, "bob")  # connects
    aside.config_resetstat()
    server.process.send_signal(signal.SIGSTOP)
    with pytest.raises(StoreError, match="TimeoutError"):
        store.reserve(asked, POLICY)
    server.process.send_signal(signal.SIGCONT)
    deadline = time.monotonic() + 5
    while calls(aside).get("evalsha") != 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert calls(aside)["evalsha"] == 1
    pending = Outcome(asked.id, Reason.REQUEST_PENDING, repeated=True)
    assert store.reserve(asked, POLICY) == pending


def test_an_eviction_policy_is_refused_if_memory_is_limited(
    store: RedisStore, aside: redis.Redis
) -> None:
    """O3: an evicted count grants more guesses; without maxmemory nothing is evicted."""
    store.check()
    aside.config_set("maxmemory-policy", "allkeys-lru")
    store.check()
    aside.config_set("maxmemory", "1gb")
    for policy in ("allkeys-lru", "volatile-ttl"):  # all our keys have a TTL
        aside.config_set("maxmemory-policy", policy)
        with pytest.raises(UnfitStore, match=f"maxmemory-policy {policy}.*to noeviction"):
            store.check()
    aside.config_set("maxmemory-policy", "noeviction")
    store.check()


@pytest.mark.parametrize(
    ("version", "refused"),
    [("5.0.14", True), ("6.0.20", True), ("6.2.0", False), ("7.2.4", False), ("", False)],
)
def test_an_old_server_is_refused(
    store: RedisStore, monkeypatch: pytest.MonkeyPatch, version: str, refused: bool
) -> None:
    """O3: the scripts were never tested before 6.2."""
    monkeypatch.setattr(redis.Redis, "info", lambda *_: {"redis_version": version})
    if refused:
        with pytest.raises(UnfitStore, match=f"version {version}; the store needs 6.2"):
            store.check()
    else:
        store.check()


def test_a_server_that_does_not_answer_can_not_be_checked() -> None:
    store = RedisStore(f"redis://u:hunter2@127.0.0.1:{free_port()}/0")
    with pytest.raises(StoreError, match="ConnectionError") as caught:
        store.check()
    assert "hunter2" not in f"{caught.value} {caught.value.__cause__!r}"
    store.close()


def test_a_redis_user_needs_few_commands(
    server: PrivateRedis, aside: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """O3: those that the documentation names; without INFO there is a warning and no error."""
    command(aside, "ACL", "SETUSER", "otp", *documented_rule())
    store = RedisStore(server.url.replace("//", "//otp:secret@"), FrozenClock())
    real = RedisStore(server.url.replace("//", "//otp:secret@"))
    for used in (store, real):
        challenge = opened(used, "ada" if used is store else "bob")
        assert answer(used, challenge, WRONG) is Reason.CODE_UNMATCHED
        assert used.unlock(challenge.subject)
        assert used.spend(attempt("?", RIGHT, key=named(not_cached=NOT_COUNTED)), POLICY).reason
        assert answer(used, challenge, RIGHT) is None
        assert used.purge(POLICY) == 0
        used.check()
    for number in range(40):  # until expired challenges are swept
        assert isinstance(store.reserve(draft(f"ada {number % 2}"), QUICK), Challenge | Outcome)
    assert caplog.records == []
    command(aside, "ACL", "SETUSER", "otp", "-info")
    with caplog.at_level(logging.WARNING):
        store.check()
    assert "6.2 or newer and evicts nothing" in caplog.text
    command(aside, "ACL", "SETUSER", "otp", "-hset")
    with pytest.raises(StoreError):
        opened(store, "eve")
    store.close()
    real.close()


def test_the_store_works_in_a_cluster(tmp_path: Path) -> None:
    """A cluster refuses a script whose keys are in two slots."""
    cluster_mode = ("--cluster-enabled", "yes", "--cluster-port", str(free_port()))
    with private_redis(tmp_path, *cluster_mode) as server:
        with client(server.url) as aside:
            command(aside, "CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            while b"cluster_state:ok" not in command(aside, "CLUSTER", "INFO"):
                time.sleep(0.02)
        never = Retry(NoBackoff(), 0)
        cluster = redis.RedisCluster(host="127.0.0.1", port=server.port, retry=never)
        store = RedisStore(cluster, FrozenClock())
        store.check()
        for name in ("ada", "bob", "{}"):
            challenge = opened(store, name)
            assert answer(store, challenge, WRONG) is Reason.CODE_UNMATCHED
            assert store.unlock(name)
            cluster.script_flush()
            asked = attempt(challenge.id, RIGHT, subject=name)
            right = store.spend(asked, POLICY)
            assert right == Outcome(challenge.id)
            assert store.spend(asked, POLICY) == replace(right, repeated=True)
            key = named()
            sent = draft(name, channel=Channel.EMAIL, key=key)
            assert isinstance(store.reserve(sent, POLICY), Challenge)
            store.settle(sent, Outcome(sent.id))
            assert store.get_answer(key.value) == StoredAnswer(Outcome(sent.id), key.digest, name)
            again = attempt(sent.id, WRONG, subject=name, key=key)
            assert store.spend(again, POLICY) == Outcome(sent.id, repeated=True)
        assert store.purge(POLICY) == 0
        server.stop()
        with pytest.raises(StoreError):
            opened(store, "eve")
        cluster.set_retry(Retry(NoBackoff(), 3))
        with pytest.raises(ValueError, match="use retry="):
            RedisStore(cluster)
        cluster.close()
