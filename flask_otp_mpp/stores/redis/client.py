"""Redis clients: make one that repeats no command, and refuse one that does."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeAlias

import redis
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode
from redis.exceptions import RedisError
from redis.retry import Retry
from redis.sentinel import Sentinel

from flask_otp_mpp.stores.free_connections import FreeConnections
from flask_otp_mpp.stores.options import DEFAULT, POOL_SECONDS, StoreOptions
from flask_otp_mpp.stores.redis.connections import (
    Generation,
    Primary,
    RenewedConnection,
    RenewedSSLConnection,
)
from flask_otp_mpp.stores.redis.urls import NO_URL, Kind, RedisUrl, parse

Client: TypeAlias = redis.Redis | redis.RedisCluster


class ClientSource:
    """Hold the client of a store; make it when it is first needed.

    A cluster's client asks the cluster for its slots when it is made. A host may start before its
    cluster does, so that is done by the first verb that finds the cluster up.

    :param address: what to call the server in messages; without user and password.
    :param free: the free connections of its pool, if they are known.
    """

    def __init__(
        self,
        make: Callable[[], Client],
        address: str,
        free: AbstractContextManager[None] | None = None,
    ) -> None:
        self.address = address
        self.free = free or nullcontext()
        self._make = make
        self._made: Client | None = None
        self._lock = threading.Lock()

    def get(self) -> Client:
        """Return the client.

        :raises RedisError: if it can't be made; RedisClusterException if no node answers.
        """
        if self._made is None:
            if not self._lock.acquire(timeout=POOL_SECONDS):
                raise redis.ConnectionError("another thread still waits for the cluster")
            try:
                self._made = self._made or self._make()
            finally:
                self._lock.release()
        return self._made

    def close(self) -> None:
        """Close the connections of the client, if it was made."""
        client = self._made
        if client is None:
            return
        client.close()
        if isinstance(client, redis.Redis):
            primary = client.get_connection_kwargs().get("primary")
            if isinstance(primary, Primary):
                primary.close()


def connect(url: str, options: StoreOptions = DEFAULT) -> ClientSource:
    """Make a client whose timeouts are shorter than a caller's, and which repeats no command.

    A command whose answer was lost may have been done. A repeat would find the request's
    idempotency key and count nothing twice; but a send would then be answered as pending, and no
    message would go out. It is better that the caller is told that the outcome is unknown. A
    connection that the server has closed is detected and replaced before anything is sent on it.

    :raises ValueError: if the URL can't be used; the message holds no password.
    """
    found = parse(url)
    try:
        pool = _pool(found, options)
        pool.connection_class(**pool.connection_kwargs)  # opens nothing, but checks every option
    except (ValueError, TypeError, RedisError):  # their messages may quote the password
        raise ValueError(NO_URL) from None
    client = redis.Redis.from_pool(pool)
    refuse_unfit(client)
    free = FreeConnections(options.pool_size)
    match found.kind:
        case Kind.SERVER:
            return ClientSource(lambda: client, _address(client), free)
        case Kind.SENTINEL:
            address = f"Redis {found.service!r} by Sentinel at {found.hosts}"
            return ClientSource(lambda: client, address, free)
        case Kind.CLUSTER:
            return ClientSource(
                lambda: _cluster(found, options), f"the Redis cluster at {found.hosts}", free
            )


def passed_in(client: Client) -> ClientSource:
    """Hold a client that the host has made.

    :raises ValueError: if it is unfit.
    """
    refuse_unfit(client)
    return ClientSource(lambda: client, _address(client))


def _address(client: Client) -> str:
    if isinstance(client, redis.RedisCluster):
        return "the Redis cluster"
    options = client.get_connection_kwargs()
    where = options.get("path") or f"{options.get('host', 'localhost')}:{options.get('port', 6379)}"
    return f"Redis at {where}/{options.get('db') or 0}"


def _bounds(options: StoreOptions) -> dict[str, Any]:
    return {
        "max_connections": options.pool_size,
        "socket_connect_timeout": options.connect_timeout,
        "socket_timeout": options.statement_timeout,
        "socket_keepalive": True,
    }


def _pool(url: RedisUrl, options: StoreOptions) -> redis.BlockingConnectionPool:
    generation = Generation()
    host, port = url.addresses[0]
    return redis.BlockingConnectionPool(  # type: ignore[no-untyped-call]
        connection_class=RenewedSSLConnection if url.tls else RenewedConnection,
        generation=generation,
        primary=_primary(url, options, generation) if url.kind is Kind.SENTINEL else None,
        retry=_never(),
        **{
            **_bounds(options),
            "timeout": POOL_SECONDS,
            "host": host,
            "port": port,
            **url.options,
        },
    )


def _primary(url: RedisUrl, options: StoreOptions, generation: Generation) -> Primary:
    """Make what asks the Sentinels; all of them together may take the time of one connection.

    They get the servers' user and password, as ``limits`` does it. Sentinels that have no password
    are asked without: they refuse one, and are then tried again.
    """
    names = ("username", "password")
    secret = {name: url.options[name] for name in names if name in url.options}
    tries = [secret, {}] if secret else [{}]
    seconds = options.connect_timeout / len(tries) / len(url.addresses)
    how: dict[str, Any] = {
        "socket_connect_timeout": seconds,
        "socket_timeout": seconds,
        "retry": _never(),
        **({"ssl": True} if url.tls else {}),
        **{name: value for name, value in url.options.items() if name.startswith("ssl_")},
    }
    sentinel, *others = (
        Sentinel(url.addresses, sentinel_kwargs={**how, **login})  # type: ignore[no-untyped-call]
        for login in tries
    )
    for other in others:
        sentinel.sentinels += other.sentinels
    return Primary(sentinel, url.service, generation)


def _cluster(url: RedisUrl, options: StoreOptions) -> redis.RedisCluster:
    # Each node has redis-py's own pool, which does not wait for a free connection. A blocking one
    # takes back what it never gave away, which a cluster's client does when a redirection fails;
    # two threads would then read one another's answers.
    first, *others = url.addresses
    return redis.RedisCluster(
        url=f"{'rediss' if url.tls else 'redis'}://{first[0]}:{first[1]}",
        startup_nodes=[ClusterNode(host, port) for host, port in others],  # type: ignore[no-untyped-call]
        retry=_never(),
        **{**_bounds(options), **url.options},
    )


def _never() -> Retry:
    return Retry(NoBackoff(), 0)


def refuse_unfit(client: Client) -> None:
    """Refuse a client with which a method of the store could fail or run twice.

    :raises ValueError: if it decodes answers (which may be binary) or repeats commands; the message
        says what to do.
    """
    if client.get_encoder().decode_responses:
        raise ValueError("the Redis client decodes its answers; use decode_responses=False")
    retry = client.retry if isinstance(client, redis.RedisCluster) else client.get_retry()
    if retry is not None and retry.get_retries() != 0:
        raise ValueError(
            "the Redis client repeats commands whose answer was lost; "
            "use retry=Retry(NoBackoff(), 0)"
        )
