"""Redis clients: make one that repeats no command, and check client and server."""

from __future__ import annotations

import logging
import re
from typing import Any, Final, TypeAlias

import redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisClusterException, RedisError, ResponseError
from redis.retry import Retry

from flask_otp_mpp.core.ports import StoreError, UnfitStore
from flask_otp_mpp.core.secret import clear_frames
from flask_otp_mpp.stores.options import DEFAULT, POOL_SECONDS, StoreOptions

Client: TypeAlias = redis.Redis | redis.RedisCluster

_OLDEST: Final = (6, 2)
_NO_URL: Final = "is not a Redis URL; use redis://user:password@host:6379/0, or rediss:// for TLS"
_logger = logging.getLogger("flask_otp_mpp.stores")


def connect(url: str, options: StoreOptions = DEFAULT) -> redis.Redis:
    """Make a client whose timeouts are shorter than a caller's, and which repeats no command.

    A command whose answer was lost may have been done. A repeat would find the request's
    idempotency key and count nothing twice; but a send would then be answered as pending, and no
    message would go out. It is better that the caller is told that the outcome is unknown. A
    connection that the server has closed is detected and replaced before anything is sent on it.

    :raises ValueError: if the URL can't be used; the message holds no password.
    """
    scheme, _, rest = url.partition("://")
    scheme = {"valkey": "redis", "valkeys": "rediss"}.get(scheme, scheme)
    if scheme not in ("redis", "rediss"):
        raise ValueError(_NO_URL)
    try:
        pool = redis.BlockingConnectionPool.from_url(
            f"{scheme}://{rest}",
            max_connections=options.pool_size,
            timeout=POOL_SECONDS,
            socket_connect_timeout=options.connect_timeout,
            socket_timeout=options.statement_timeout,
            socket_keepalive=True,
            retry=Retry(NoBackoff(), 0),
        )
        pool.connection_class(**pool.connection_kwargs)  # opens nothing, but checks every option
    except (ValueError, TypeError, RedisError):  # their messages may quote the password
        raise ValueError(_NO_URL) from None
    return redis.Redis.from_pool(pool)


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


def check(client: Client, *, allow_eviction: bool = False) -> str:
    """Check that a server is new enough and evicts no keys.

    If a server does not allow INFO, as some managed ones do, there is only a warning in the log.

    :param allow_eviction: whether there is only a warning for a server that may evict keys, too.
    :returns: what was found, in one line.
    :raises UnfitStore: with what was found instead, and what to do.
    :raises StoreError: if the server does not answer.
    """
    address = _address(client)
    try:
        nodes = _server_info(client)
    except ResponseError as error:
        shown = f"{address} does not tell its version and its eviction policy"
        _logger.warning(
            "%s (%s); make sure that it is 6.2 or newer and evicts nothing",
            shown,
            type(error).__name__,
        )
        return shown
    except (RedisError, RedisClusterException) as error:
        clear_frames(error)  # the client's hold the password of the connection
        raise StoreError(
            f"{address} does not answer: {type(error).__name__}; "
            "check that it runs, and OTP_MPP_STORE"
        ) from error
    for info in nodes:
        _refuse_old_version(address, info)
        if (problem := _eviction_problem(address, info)) is not None:
            if not allow_eviction:
                raise UnfitStore(f"{problem}, or accept it by OTP_MPP_STORE_EVICTION='warn'")
            _logger.warning("%s", problem)
    return f"{address}, version {nodes[0].get('redis_version', 'unknown')}"


def _address(client: Client) -> str:
    if isinstance(client, redis.RedisCluster):
        return "the Redis cluster"
    options = client.get_connection_kwargs()
    where = options.get("path") or f"{options.get('host', 'localhost')}:{options.get('port', 6379)}"
    return f"Redis at {where}/{options.get('db') or 0}"


def _server_info(client: Client) -> list[dict[str, Any]]:
    if isinstance(client, redis.RedisCluster):
        return [
            {**client.info("server", target_nodes=node), **client.info("memory", target_nodes=node)}
            for node in client.get_primaries()  # type: ignore[no-untyped-call]
        ]
    with redis.Redis(connection_pool=client.connection_pool, single_connection_client=True) as one:
        info = {**one.info("server"), **one.info("memory")}
        if one.connection is not None:  # a forked worker must not share a connection
            one.connection.disconnect()
        return [info]


def _refuse_old_version(address: str, info: dict[str, Any]) -> None:
    version = str(info.get("redis_version", ""))
    number = re.match(r"(\d+)\.(\d+)", version)
    if number is not None and (int(number[1]), int(number[2])) < _OLDEST:
        raise UnfitStore(f"{address} is version {version}; the store needs 6.2 or newer")


def _eviction_problem(address: str, info: dict[str, Any]) -> str | None:
    policy = str(info.get("maxmemory_policy", "noeviction"))
    if not info.get("maxmemory") or policy == "noeviction":
        return None
    return (
        f"{address} may evict keys (maxmemory-policy {policy}), and with them counted failures; "
        "set maxmemory-policy to noeviction, or use a separate server"
    )
