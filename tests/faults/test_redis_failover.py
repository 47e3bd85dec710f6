"""A Redis that fails over, by an operator or because it is killed, keeps what the store promises.

Each user has a recorded history, made by two threads at two hosts. A call without an answer may
have been done or not. A failover of an operator forgets nothing; a kill forgets at most what was
answered in the last moment, which is one call of each thread: replication is asynchronous.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Final

import pytest
from redis.exceptions import RedisError

from benchmarks.redis_nodes import (
    Cluster,
    Nodes,
    Watched,
    cluster,
    guard,
    program,
    wait_until,
    watched,
)
from flask_otp_mpp import RedisStore, UnfitStore
from flask_otp_mpp.core.challenge import Challenge, Draft
from flask_otp_mpp.core.policy import Policy, SendLimit
from flask_otp_mpp.core.ports import StoreError
from flask_otp_mpp.core.reasons import Outcome
from flask_otp_mpp.stores.redis.failover import nothing_was_done
from flask_otp_mpp.testing import FrozenClock
from flask_otp_mpp.testing.contract.builders import RIGHT, WRONG, answer, attempt, draft, opened
from flask_otp_mpp.testing.contract.race import together
from tests.faults.proxy import proxy_to
from tests.linearizability.checker import explain, told
from tests.linearizability.history import Recorder
from tests.services import missing
from tests.stores.redis_server import ROOT, client, documented_rule, private_redis

pytestmark = [pytest.mark.server, pytest.mark.slow]

USERS: Final = 10
THREADS: Final = 2 * USERS
BEFORE: Final = 0.5
LONGEST: Final = 15.0
POLICY: Final = Policy(
    tries=4,
    cool_down=timedelta(),
    send_limits=(SendLimit(4, timedelta(minutes=10)),),
    failure_limit=6,
)


def was_lost(error: StoreError) -> bool:
    cause = error.__cause__
    return not (isinstance(cause, RedisError) and nothing_was_done(cause))


class UserHistory:
    """What two hosts do for one user, before, while and after servers fail over."""

    def __init__(self, name: str, stores: list[RedisStore]) -> None:
        self.name = name
        self.drafts = [draft(name) for _ in range(3)]
        # Moments and histories are common to both hosts; each call goes to the host of its thread.
        self.recorder = Recorder(stores[0], POLICY, pause=lambda: None, was_lost=was_lost)
        self.stores = stores

    def act(self, thread: int, failed_over: threading.Event) -> None:
        """Ask until four calls were answered after the failover."""
        chance = Random(f"{self.name} {thread}")
        own = Recorder.__new__(Recorder)
        own.__dict__.update(self.recorder.__dict__, store=self.stores[thread])
        deadline = time.monotonic() + LONGEST
        answered_after = 0
        while answered_after < 4 and time.monotonic() < deadline:
            was_over = failed_over.is_set()
            try:
                self._ask(own, thread, chance)
            except StoreError:
                time.sleep(0.7)  # each lost answer doubles what the checker has to try
            else:
                answered_after += was_over
                time.sleep(0.1 if was_over else 0.25)
        assert answered_after == 4, "the store did not come back"

    def _ask(self, recorder: Recorder, thread: int, chance: Random) -> None:
        asked: Draft = chance.choice(self.drafts)
        kind = chance.choices(("send", "wrong", "right"), (2, 3, 2))[0]
        if kind != "send":
            digest = RIGHT if kind == "right" else WRONG
            recorder.spend(thread, attempt(asked.id, digest, subject=self.name))
            return
        fresh = recorder.fresh(asked)
        found = recorder.reserve(thread, fresh)
        if isinstance(found, Challenge):
            recorder.settle(thread, fresh, Outcome(found.id))

    def is_explained(self, clock: FrozenClock) -> bool:
        return explain(self.recorder.history, POLICY, clock.now) is not None


def play(nodes: Nodes, fail_over: Callable[[], None]) -> list[UserHistory]:
    """Ask for all users while servers fail over; return those whose history nothing explains."""
    clock = FrozenClock()
    stores = [RedisStore(nodes.url, clock, prefix=f"{time.time_ns()}:") for _ in range(2)]
    stores[1].prefix = stores[0].prefix
    users = [UserHistory(f"user {number}", stores) for number in range(USERS)]
    failed_over = threading.Event()

    def change() -> None:
        time.sleep(BEFORE)
        fail_over()
        failed_over.set()

    acts: list[Callable[[], None]] = [
        partial(user.act, host, failed_over) for user in users for host in range(2)
    ]
    together([change, *acts])
    for store in stores:
        store.close()
    for user in users:
        assert len(user.recorder.history) >= 8
    return [user for user in users if not user.is_explained(clock)]


def shown(users: list[UserHistory]) -> str:
    """Show the first of them."""
    return told(users[0].recorder.history) if users else ""


def kill(nodes: Nodes) -> None:
    """Kill the primary; start it again, empty, when another has its place."""
    killed = nodes.kill_primary()
    nodes.wait_for_another(killed)
    killed.start()


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Run a cluster of three primaries and three replicas."""
    if program() is None:
        missing("neither redis-server nor valkey-server is installed")
    with cluster(tmp_path_factory.mktemp("cluster"), guard(1)) as nodes:
        yield nodes


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """Run a primary with two replicas and three Sentinels."""
    if program() is None:
        missing("neither redis-server nor valkey-server is installed")
    with watched(tmp_path_factory.mktemp("sentinel"), 2, guard(2)) as nodes:
        yield nodes


def test_a_cluster_whose_primaries_are_moved_forgets_nothing(shards: Cluster) -> None:
    """T3, T4: CLUSTER FAILOVER of all three shards at once; a primary waits for its replica."""
    before = shards.primary()

    def move() -> None:
        shards.fail_over()
        shards.wait_until_whole()

    unexplained = play(shards, move)
    assert not unexplained, shown(unexplained)
    assert not before.is_primary


def test_a_cluster_whose_primary_is_killed_forgets_a_moment_at_most(shards: Cluster) -> None:
    """T3, T4: its slots are answered again, by its replica."""
    shards.wait_until_whole()
    unexplained = play(shards, partial(kill, shards))
    assert len(unexplained) <= 1, shown(unexplained)
    shards.wait_until_whole()


def test_a_primary_that_sentinel_moves_forgets_a_moment_at_most(service: Watched) -> None:
    """T3, T4: the old primary lives on for ten seconds, but misses a replica, so it writes nothing.

    Nor does the new one, until the old one is its replica.
    """
    before = service.primary()

    def move() -> None:
        service.fail_over()
        service.wait_for_another(before)
        wait_until(lambda: service.primary().replicas == 2, "the old one does not follow")

    unexplained = play(service, move)
    assert len(unexplained) <= 1, shown(unexplained)
    assert service.primary() is not before


def test_a_killed_primary_is_replaced_by_sentinel(service: Watched) -> None:
    """T3, T4: the URL names the Sentinels, and no server."""
    service.wait_for_replicas(2)
    for node in service.nodes:
        node.ask("CONFIG", "SET", "min-replicas-to-write", 1)
    unexplained = play(service, partial(kill, service))
    assert len(unexplained) <= 1, shown(unexplained)


def test_the_documented_rights_are_enough_in_a_cluster(shards: Cluster) -> None:
    """O3, O4: with the two that the client of a cluster needs."""
    more = re.search(r"for a cluster,? `([^`]*)`", (ROOT / "docs/stores/redis.md").read_text())
    assert more is not None
    needed = more[1].split()
    url = shards.url.replace("//", "//otp:secret@")
    for given in (needed, needed[:1], needed[1:]):
        for node in shards.nodes:
            node.ask("ACL", "SETUSER", "otp", "reset", *documented_rule(), *given)
        store = RedisStore(url)
        if given == needed:
            assert "the Redis cluster at 127.0.0.1" in store.check()
            challenge = opened(store)
            assert answer(store, challenge, RIGHT) is None
            assert store.forget("alice")
        else:
            with pytest.raises(UnfitStore, match="give its user the rights"):
                store.check()
        store.close()


def test_a_name_that_leads_to_another_server_is_followed(tmp_path: Path) -> None:
    """T4, O1: the old primary lives on as a replica, and keeps its connections."""
    folders = [tmp_path / "old", tmp_path / "new"]
    for folder in folders:
        folder.mkdir()
    with (
        private_redis(folders[0]) as old,
        private_redis(folders[1]) as new,
        proxy_to("127.0.0.1", old.port) as name,
        client(old.url) as aside,
    ):
        store = RedisStore(f"redis://127.0.0.1:{name.port}/0")
        together([partial(opened, store, f"before {number}") for number in range(8)])
        aside.replicaof("127.0.0.1", new.port)
        name.point_to("127.0.0.1", new.port)
        # Each of them finds an old connection.
        together([partial(opened, store, f"after {number}") for number in range(8)])
        with client(new.url) as there:
            assert len(there.keys("*:challenges:*")) == 8
        assert not store.forget("nobody")
        store.close()


def test_a_replica_alone_is_asked_twice_and_no_more(tmp_path: Path) -> None:
    """O1: nothing is repeated for ever."""
    with private_redis(tmp_path) as server, client(server.url) as aside:
        store = RedisStore(server.url)
        opened(store)
        aside.replicaof("127.0.0.1", 1)
        aside.config_resetstat()
        with pytest.raises(StoreError, match=r"ReadOnlyError|ResponseError"):
            opened(store)
        stats: dict[str, dict[str, int]] = aside.info("commandstats")
        assert stats["cmdstat_evalsha"]["calls"] == 2
        with suppress(StoreError):
            store.unlock("alice")
        store.close()
