"""URLs of Sentinel and cluster are spelled as `limits` spells them, and open what they name."""

from __future__ import annotations

from typing import Any

import pytest
import redis
from limits._storage_scheme import parse_storage_uri

from flask_otp_mpp import RedisStore, StoreError
from flask_otp_mpp.stores import from_url
from flask_otp_mpp.stores.redis.connections import RenewedConnection, RenewedSSLConnection
from flask_otp_mpp.stores.redis.urls import Kind, parse
from tests.servers import free_port


@pytest.mark.parametrize(
    ("url", "kind", "service"),
    [
        ("redis+sentinel://h1:26379,h2:26380/wallet", Kind.SENTINEL, "wallet"),
        ("redis+sentinel://:hunter2@h1:26379/wallet", Kind.SENTINEL, "wallet"),
        ("valkey+sentinel://otp:hunter2@h1:26379,h2:1,h3:2/wallet", Kind.SENTINEL, "wallet"),
        ("redis+cluster://h1:7000,h2:7001", Kind.CLUSTER, ""),
        ("redis+cluster://otp:hunter2@h1:7000,[::1]:7001/", Kind.CLUSTER, ""),
        ("valkey+cluster://h1:7000", Kind.CLUSTER, ""),
    ],
)
def test_a_url_is_read_as_limits_reads_it(url: str, kind: Kind, service: str) -> None:
    """F2: so one spelling does for the store and for the traffic limits."""
    found, theirs = parse(url), parse_storage_uri(url)
    assert (found.kind, found.service) == (kind, service)
    assert list(found.addresses) == theirs.locations
    assert found.options.get("username") == (theirs.username or None)
    assert found.options.get("password") == theirs.password
    assert found.service == (theirs.path or "").strip("/")
    assert not found.tls
    assert "hunter2" not in repr(found)


def test_what_limits_leaves_out_has_a_default() -> None:
    assert parse("redis+sentinel://h1/wallet").addresses == (("h1", 26379),)
    assert parse("redis+cluster://h1,h2:7000").addresses == (("h1", 6379), ("h2", 7000))
    found = parse("redis+sentinel://otp:hunter2%40@h1/wallet?db=2&ssl=true&ssl_cert_reqs=none")
    assert found.tls
    assert found.options["password"] == "hunter2@"
    assert (found.options["db"], found.options["ssl_cert_reqs"]) == (2, "none")


@pytest.mark.parametrize(
    "url",
    [
        "redis+sentinel://u:hunter2@h1:26379",  # which service?
        "redis+sentinel://u:hunter2@h1:26379/wallet/2",
        "redis+sentinel://u:hunter2@h1:port/wallet",
        "redis+sentinel://u:hunter2@h1:26379/wallet?nosuch=hunter2",
        "redis+sentinel://u:hunter2@h1:26379/wallet?decode_responses=yes",
        "redis+cluster://u:hunter2@h1:7000/2",  # a cluster has one database
        "redis+cluster://u:hunter2@h1:7000?db=2",
        "redis+cluster://u:hunter2@h1:7000?nosuch=hunter2",
        "redis+cluster://u:hunter2@h1:7000?decode_responses=yes",
        "redis+unix://u:hunter2@/run/redis.sock",
        "redis://u:hunter2@h1:7000,h2:7001/0",
    ],
)
def test_an_unusable_url_is_refused_and_not_quoted(url: str) -> None:
    """F2, P1: when the app starts, whether a server answers or not."""
    with pytest.raises(ValueError, match=r"use redis|decode_responses=False") as caught:
        from_url(url)
    assert "hunter2" not in f"{caught.value!r} {caught.value.__cause__!r}"


def test_a_cluster_that_is_down_does_not_stop_the_host_from_starting() -> None:
    """O1: its client asks it for its slots, so it is made by the first verb that finds it up."""
    url = f"redis+cluster://u:hunter2@127.0.0.1:{free_port()},127.0.0.1:{free_port()}"
    store = from_url(url)
    assert isinstance(store, RedisStore)
    with pytest.raises(StoreError, match=r"the Redis cluster at 127.* does not answer") as caught:
        store.check()
    assert "hunter2" not in str(caught.value)
    with pytest.raises(StoreError, match="RedisClusterException"):
        store.unlock("alice")
    store.close()


def test_sentinels_that_are_down_do_not_stop_the_host_from_starting() -> None:
    """O1: and a verb says that it was not done."""
    store = from_url(f"redis+sentinel://u:hunter2@127.0.0.1:{free_port()}/wallet")
    assert isinstance(store, RedisStore)
    with pytest.raises(StoreError, match=r"'wallet' by Sentinel at 127.* does not answer"):
        store.check()
    with pytest.raises(StoreError, match="MasterNotFoundError"):
        store.unlock("alice")
    store.close()


@pytest.mark.parametrize("tls", [False, True])
def test_the_options_of_the_query_reach_servers_and_sentinels(tls: bool) -> None:
    """O1: all Sentinels together may take as long as one connection."""
    store = RedisStore(
        "redis+sentinel://otp:hunter2@h1,h2/wallet?socket_timeout=1" + "&ssl=true" * tls
    )
    assert isinstance(store.client, redis.Redis)
    pool: Any = store.client.connection_pool
    assert pool.connection_class is (RenewedSSLConnection if tls else RenewedConnection)
    assert pool.connection_kwargs["socket_timeout"] == 1
    asked = pool.connection_kwargs["primary"]._sentinel.sentinels
    assert len(asked) == 4  # each with the password, and then without
    for sentinel in asked:
        how = sentinel.connection_pool.connection_kwargs
        assert how["socket_connect_timeout"] == 0.5
        assert issubclass(sentinel.connection_pool.connection_class, redis.SSLConnection) is tls
    assert [s.connection_pool.connection_kwargs.get("password") for s in asked] == [
        "hunter2", "hunter2", None, None,
    ]  # fmt: skip
    store.close()
