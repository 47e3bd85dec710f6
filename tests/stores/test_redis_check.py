"""A Redis that can't keep the promises is refused, with what is missing and what to do."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import redis

from benchmarks.redis_nodes import wait_until
from flask_otp_mpp import RedisStore, StoreError, UnfitStore
from flask_otp_mpp.stores.redis import requirements, scripts
from flask_otp_mpp.testing.contract.builders import RIGHT, WRONG, answer, opened
from tests.servers import free_port
from tests.stores.redis_server import PrivateRedis, client, documented_rule, private_redis

PRIMARY: Final = {"redis_version": "7.2.4", "role": "master", "redis_mode": "standalone"}
WITH_REPLICA: Final = {**PRIMARY, "connected_slaves": 1}
GUARDED: Final = {"min-replicas-to-write": "1", "min-replicas-max-lag": "1"}


def problem(info: Mapping[str, Any], settings: Mapping[str, str] | None = None) -> str:
    """Return the first problem; nothing if there is none."""
    return next(requirements.problems(info, lambda _: settings or {}, in_cluster=False), "")


def warned(info: Mapping[str, Any], settings: Mapping[str, str] | None = None) -> list[str]:
    return list(requirements.warnings(info, lambda _: settings or {}, in_cluster=False))


@pytest.mark.parametrize(
    ("changed", "fit"),
    [
        ({}, True),
        ({"min-replicas-max-lag": "10"}, True),
        ({"min-replicas-to-write": "0"}, False),
        ({"min-replicas-max-lag": "0"}, False),  # which turns both off
        ({"min-replicas-max-lag": "11"}, False),
    ],
)
def test_two_primaries_must_not_be_possible(changed: dict[str, str], fit: bool) -> None:
    """O3, L6: after a failover the old primary is written for as long as it does not know."""
    found = problem(WITH_REPLICA, {**GUARDED, **changed})
    assert (found == "") is fit
    if not fit:
        assert "two primaries can be written, and a code can win twice" in found
        assert "set min-replicas-to-write to 1 or more" in found
        assert "min-replicas-max-lag to 10 s or less" in found
    assert problem(PRIMARY, {**GUARDED, **changed}) == ""  # there is no other one


def test_an_older_redis_with_replicas_is_refused() -> None:
    """O3: its scripts are not held to min-replicas-to-write."""
    assert "older than 6.2.14" in problem({**WITH_REPLICA, "redis_version": "6.2.2"}, GUARDED)
    assert problem({**WITH_REPLICA, "redis_version": "6.2.14"}, GUARDED) == ""
    assert problem({**PRIMARY, "redis_version": "6.2.2"}) == ""


def test_settings_that_may_not_be_read_are_warned_of() -> None:
    """O3: managed servers forbid CONFIG; INFO tells good replicas only if both are set."""
    assert problem(WITH_REPLICA) == ""
    (found,) = warned(WITH_REPLICA)
    assert "min-replicas-to-write" in found
    assert "min-replicas-max-lag" in found
    assert warned({**WITH_REPLICA, "min_slaves_good_slaves": 1}) == []
    assert warned(WITH_REPLICA, GUARDED) == warned(PRIMARY) == []


def test_fewer_needed_replicas_than_there_are_is_warned_of() -> None:
    """O3: those that are left let the old primary write; a cluster's waits for its replica."""
    several = {**WITH_REPLICA, "connected_slaves": 2}
    (found,) = warned(several, GUARDED)
    assert "set min-replicas-to-write to 2" in found
    assert warned(several, {**GUARDED, "min-replicas-to-write": "2"}) == []
    assert not list(requirements.warnings(several, lambda _: GUARDED, in_cluster=True))


@pytest.mark.parametrize(
    ("info", "settings"),
    [
        ({"role": "active-replica"}, {}),
        ({"role": "master", "mvcc_depth": 0}, {"active-replica": "yes"}),
        ({"role": "master", "executable": "/usr/bin/keydb-server"}, {"active-replica": "yes"}),
    ],
)
def test_keydb_with_active_replicas_is_refused(
    info: dict[str, Any], settings: dict[str, str]
) -> None:
    """O3, L6: what KeyDB 6.3 says of itself; each of its servers decides alone."""
    found = problem({"redis_version": "6.3.4", **info}, settings)
    assert "KeyDB with active replicas" in found
    assert "use one primary" in found
    alone = {"redis_version": "6.3.4", "role": "master", "mvcc_depth": 0}
    assert problem(alone, {"active-replica": "no"}) == ""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PrivateRedis]:
    with private_redis(tmp_path) as server:
        yield server


def refusal(url: str) -> str:
    """Check a store; return why it is unfit."""
    store = RedisStore(url)
    try:
        with pytest.raises(UnfitStore) as caught:
            store.check()
    finally:
        store.close()
    assert "hunter2" not in f"{caught.value} {caught.value.__cause__}"
    return str(caught.value)


def command(aside: redis.Redis, *words: str | int) -> Any:
    return aside.execute_command(*words)  # type: ignore[no-untyped-call]


@pytest.mark.server
@pytest.mark.slow
def test_replicas_are_looked_at(tmp_path: Path, server: PrivateRedis) -> None:
    """O3: the replica is refused, and its primary, until both settings are made."""
    (tmp_path / "replica").mkdir()
    of = ("--replicaof", "127.0.0.1", str(server.port), "--repl-diskless-sync-delay", "0")
    with private_redis(tmp_path / "replica", *of) as replica, client(server.url) as aside:
        found = refusal(replica.url)
        assert f"is a replica of 127.0.0.1:{server.port} and must not be written" in found
        assert "name the primary" in found
        wait_until(lambda: aside.info("replication")["connected_slaves"], "no replica")
        assert "has 1 replica(s), min-replicas-to-write 0" in refusal(server.url)
        aside.config_set("min-replicas-to-write", 1)
        wait_until(lambda: aside.info("replication")["min_slaves_good_slaves"], "no good replica")
        store = RedisStore(server.url)
        assert "version" in store.check()
        replica.stop()
        wait_until(lambda: not aside.info("replication")["connected_slaves"], "a replica")
        with pytest.raises(StoreError, match=r"refuses to write: .*NOREPLICAS") as caught:
            store.check()
        assert not isinstance(caught.value, UnfitStore)  # it may come back
        store.close()


@pytest.mark.server
@pytest.mark.parametrize(
    "user", ["", ":hunter2@", "otp:hunter2@", "nobody:hunter2@"], ids=["none", "old", "wrong", "no"]
)
def test_a_user_that_is_refused_is_told_from_a_server_that_is_away(
    server: PrivateRedis, user: str
) -> None:
    """O1, F2: NOAUTH and WRONGPASS last until somebody corrects the URL."""
    with client(server.url) as aside:
        command(aside, "ACL", "SETUSER", "otp", "on", ">right", "+@all", "~*")
        aside.config_set("requirepass", "right")
    found = refusal(server.url.replace("//", f"//{user}"))
    assert found.endswith("refuses the user or the password; correct OTP_MPP_STORE")


@pytest.mark.server
def test_the_documented_rights_are_enough_and_each_is_needed(
    server: PrivateRedis, caplog: pytest.LogCaptureFixture
) -> None:
    """O3, O4: without one of them a check names it; INFO and CONFIG are only warned of."""
    rule = documented_rule()
    url = server.url.replace("//", "//otp:secret@")
    with client(server.url) as aside:
        command(aside, "ACL", "SETUSER", "otp", *rule)
        store = RedisStore(url)
        store.check()
        challenge = opened(store)
        assert answer(store, challenge, WRONG) is not None
        assert answer(store, challenge, RIGHT) is None
        assert store.forget("alice")
        assert caplog.records == []
        for right in [word[1:] for word in rule if word.startswith("+")]:
            if right in ("info", "config|get"):
                continue
            command(aside, "ACL", "SETUSER", "otp", "reset", *rule, f"-{right}")
            with pytest.raises(UnfitStore, match=rf"(?i)\b{right}\b.*rights that docs/stores"):
                store.check()
            store.client.connection_pool.disconnect()  # type: ignore[union-attr]
        command(aside, "ACL", "SETUSER", "otp", "reset", *rule, "resetkeys", "~other:*")
        with pytest.raises(UnfitStore, match=r"access.*rights that docs/stores"):
            store.check()
        with caplog.at_level(logging.WARNING):
            command(aside, "ACL", "SETUSER", "otp", "reset", *rule, "-info")
            store.check()
        assert "does not tell its version, eviction policy and replicas" in caplog.text
        assert not aside.keys("*check*")
        store.close()


def test_the_probe_uses_every_command_of_the_scripts() -> None:
    """O3: so what a user may not do is found when the app starts, and not by a request."""
    found = {
        name: set(re.findall(r"redis\.p?call\(\s*'([A-Z]+)'", script.source))
        for name, script in vars(scripts).items()
        if isinstance(script, scripts.Script)
    }
    used = set().union(*found.values())
    probed = set(re.findall(r"\{'([A-Z]+)'", scripts.PROBE.source))
    assert used == probed
    rights = {word[1:].upper() for word in documented_rule() if word.startswith("+")}
    assert rights == probed | {"EVAL", "EVALSHA", "PING", "SCAN", "INFO", "CONFIG|GET"}


@pytest.mark.server
def test_a_url_of_another_kind_is_told_so(tmp_path: Path, server: PrivateRedis) -> None:
    """F2: a server is no cluster, a node of a cluster no server, a Sentinel keeps nothing."""
    assert "is no cluster; use redis://" in refusal(f"redis+cluster://127.0.0.1:{server.port}")
    (tmp_path / "node").mkdir()
    cluster = ("--cluster-enabled", "yes", "--cluster-port", str(free_port()))
    with private_redis(tmp_path / "node", *cluster) as node:
        assert "is one node of a cluster; use redis+cluster://" in refusal(node.url)
    config = tmp_path / "sentinel.conf"
    config.write_text(f"sentinel monitor wallet 127.0.0.1 {server.port} 1\n")
    sentinel = PrivateRedis(tmp_path)
    sentinel.first = (str(config), "--sentinel")
    try:
        sentinel.start()
        assert "is a Sentinel; name the service" in refusal(sentinel.url)
        store = RedisStore(f"redis+sentinel://otp:hunter2@127.0.0.1:{sentinel.port}/wallet")
        # The Sentinel has no password and is asked without; the server refuses it.
        with pytest.raises(UnfitStore, match=r"'wallet' by Sentinel.*refuses the user"):
            store.check()
        store.close()
        with pytest.raises(StoreError, match="MasterNotFoundError"):
            RedisStore(f"redis+sentinel://127.0.0.1:{sentinel.port}/other").check()
    finally:
        sentinel.stop()


@pytest.mark.parametrize(("seconds", "said"), [(90, "90 s ahead of"), (-90, "90 s behind")])
def test_a_clock_that_is_apart_is_warned_of(seconds: int, said: str) -> None:
    """O8: the server's clock decides, and the machine's is what callers are held to."""
    info = {"redis_version": "7.0.15", "server_time_usec": int((time.time() + seconds) * 1e6)}
    [warning] = requirements.warnings(info, lambda _: {}, in_cluster=False)
    assert said in warning
    exact = {**info, "server_time_usec": int(time.time() * 1e6)}
    assert list(requirements.warnings(exact, lambda _: {}, in_cluster=False)) == []
