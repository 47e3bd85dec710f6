"""Redis is used by a client that does nothing twice, on a server that forgets nothing by itself."""

from __future__ import annotations

import logging
import re
from typing import Any, Final, TypeAlias

import redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisClusterException, RedisError, ResponseError
from redis.retry import Retry

from flask_otp_mpp.core.ports import StoreError, UnfitStore
from flask_otp_mpp.stores.options import DEFAULT, POOL_SECONDS, StoreOptions

Client: TypeAlias = redis.Redis | redis.RedisCluster

_OLDEST: Final = (6, 2)
_NO_URL: Final = "is not a Redis URL; use redis://user:password@host:6379/0, or rediss:// for TLS"
_logger = logging.getLogger("flask_otp_mpp.stores")


def connect(url: str, options: StoreOptions = DEFAULT) -> redis.Redis:
    """Make a client that gives up before a caller does, and never repeats a command.

    A command whose answer was lost may have been done. Its repeat would find its request's key and
    count nothing twice; but a send would then be answered as pending, and no message go out. A
    caller who is told that the outcome is unknown knows better what to do. Connections that the
    server has closed are noticed, and made anew, before anything is sent on them.

    :raises ValueError: if the URL can't be used; the message holds no password.
    """
    scheme, _, rest = url.partition("://")
    scheme = {"valkey": "redis", "valkeys": "rediss"}.get(scheme, scheme)
    if scheme not in ("redis", "rediss"):
        raise ValueError(_NO_URL)
    try:
        pool = redis.BlockingConnectionPool.from_url(
            f"{scheme}://{rest}",
            max_connections=options.connections,
            timeout=POOL_SECONDS,
            socket_connect_timeout=options.connect_timeout,
            socket_timeout=options.statement_timeout,
            socket_keepalive=True,
            retry=Retry(NoBackoff(), 0),
        )
        pool.connection_class(**pool.connection_kwargs)  # opens nothing, but looks at every option
    except (ValueError, TypeError, RedisError):  # a message of theirs may quote the password
        raise ValueError(_NO_URL) from None
    return redis.Redis.from_pool(pool)


def refuse_unfit(client: Client) -> None:
    """Refuse a client by which a verb could go wrong.

    :raises ValueError: if it decodes what is binary, or repeats commands; with the remedy.
    """
    if client.get_encoder().decode_responses:
        raise ValueError("the Redis client decodes its answers; use decode_responses=False")
    retry = client.retry if isinstance(client, redis.RedisCluster) else client.get_retry()
    if retry is not None and retry.get_retries() != 0:
        raise ValueError(
            "the Redis client repeats commands whose answer was lost; "
            "use retry=Retry(NoBackoff(), 0)"
        )


def check(client: Client, *, evicting: bool = False) -> str:
    """Look whether a server is new enough, and evicts no count while it matters.

    A server that keeps its figures to itself, as some managed ones do, is only warned about.

    :param evicting: whether a server that may evict is only warned about, too.
    :returns: what was found, in one line.
    :raises UnfitStore: with what was found instead and what would do.
    :raises StoreError: if the server does not answer.
    """
    place = _place(client)
    try:
        nodes = _figures(client)
    except ResponseError as error:
        shown = f"{place} does not tell its version and its eviction policy"
        _logger.warning(
            "%s (%s); see to it that it is 6.2 or newer and evicts nothing",
            shown,
            type(error).__name__,
        )
        return shown
    except (RedisError, RedisClusterException) as error:
        raise StoreError(
            f"{place} does not answer: {type(error).__name__}; "
            "check that it runs, and OTP_MPP_STORE"
        ) from error
    for figures in nodes:
        _refuse_old(place, figures)
        if (fault := _eviction(place, figures)) is not None:
            if not evicting:
                raise UnfitStore(f"{fault}, or accept it by OTP_MPP_STORE_EVICTION='warn'")
            _logger.warning("%s", fault)
    return f"{place}, version {nodes[0].get('redis_version', 'unknown')}"


def _place(client: Client) -> str:
    if isinstance(client, redis.RedisCluster):
        return "the Redis cluster"
    options = client.get_connection_kwargs()
    where = options.get("path") or f"{options.get('host', 'localhost')}:{options.get('port', 6379)}"
    return f"Redis at {where}/{options.get('db') or 0}"


def _figures(client: Client) -> list[dict[str, Any]]:
    if isinstance(client, redis.RedisCluster):
        return [
            {**client.info("server", target_nodes=node), **client.info("memory", target_nodes=node)}
            for node in client.get_primaries()  # type: ignore[no-untyped-call]
        ]
    with redis.Redis(connection_pool=client.connection_pool, single_connection_client=True) as one:
        figures = {**one.info("server"), **one.info("memory")}
        if one.connection is not None:  # nothing stays open that a forked worker would share
            one.connection.disconnect()
        return [figures]


def _refuse_old(place: str, figures: dict[str, Any]) -> None:
    version = str(figures.get("redis_version", ""))
    number = re.match(r"(\d+)\.(\d+)", version)
    if number is not None and (int(number[1]), int(number[2])) < _OLDEST:
        raise UnfitStore(f"{place} is version {version}; the store needs 6.2 or newer")


def _eviction(place: str, figures: dict[str, Any]) -> str | None:
    policy = str(figures.get("maxmemory_policy", "noeviction"))
    if not figures.get("maxmemory") or policy == "noeviction":
        return None
    return (
        f"{place} may evict keys (maxmemory-policy {policy}), and with them counted failures; "
        "set maxmemory-policy to noeviction, or use a server of its own"
    )
