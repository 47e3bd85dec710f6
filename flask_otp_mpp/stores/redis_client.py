"""Redis is used by a client that does nothing twice, on a server that forgets nothing by itself."""

from __future__ import annotations

import logging
import re
from typing import Any, Final, TypeAlias

import redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError
from redis.retry import Retry

Client: TypeAlias = redis.Redis | redis.RedisCluster

_OLDEST: Final = (6, 2)
_NO_URL: Final = "is not a Redis URL; use redis://user:password@host:6379/0, or rediss:// for TLS"
_logger = logging.getLogger("flask_otp_mpp.stores")


def connect(url: str) -> redis.Redis:
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
        client = redis.Redis.from_url(
            f"{scheme}://{rest}",
            socket_connect_timeout=1,
            socket_timeout=2,
            socket_keepalive=True,
            retry=Retry(NoBackoff(), 0),
        )
        client.connection_pool.make_connection()  # opens nothing, but looks at every option
    except (ValueError, TypeError, RedisError):  # a message of theirs may quote the password
        raise ValueError(_NO_URL) from None
    return client


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


def refuse_unsafe(client: Client) -> None:
    """Refuse a server that is too old, or that may evict a count while it matters.

    A server that keeps its figures to itself, as some managed ones do, is only warned about.

    :raises ValueError: with what was found and what would do.
    :raises redis.exceptions.RedisError: if the server does not answer.
    """
    try:
        nodes = _figures(client)
    except ResponseError as error:
        _logger.warning(
            "Redis does not tell its version and its eviction policy (%s); "
            "see to it that it is 6.2 or newer and evicts nothing",
            type(error).__name__,
        )
        return
    for figures in nodes:
        _judge(figures)


def _figures(client: Client) -> list[dict[str, Any]]:
    if isinstance(client, redis.RedisCluster):
        return [
            {**client.info("server", target_nodes=node), **client.info("memory", target_nodes=node)}
            for node in client.get_primaries()  # type: ignore[no-untyped-call]
        ]
    return [{**client.info("server"), **client.info("memory")}]


def _judge(figures: dict[str, Any]) -> None:
    version = str(figures.get("redis_version", ""))
    number = re.match(r"(\d+)\.(\d+)", version)
    if number is not None and (int(number[1]), int(number[2])) < _OLDEST:
        raise ValueError(f"Redis is version {version}; the store needs 6.2 or newer")
    policy = str(figures.get("maxmemory_policy", "noeviction"))
    if figures.get("maxmemory") and policy != "noeviction":
        raise ValueError(
            f"Redis may evict keys (maxmemory-policy {policy}), and with them counted failures; "
            "set maxmemory-policy to noeviction, or use a server of its own"
        )
