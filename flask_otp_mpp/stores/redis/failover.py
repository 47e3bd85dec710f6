"""Work on a Redis that may have become a replica meanwhile: do it once more at the new primary."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from typing import Final, TypeVar

import redis
from redis.exceptions import (
    BusyLoadingError,
    ClusterDownError,
    MasterDownError,
    ReadOnlyError,
    RedisClusterException,
    RedisError,
    ResponseError,
)

from flask_otp_mpp.core.deadline import seconds_left
from flask_otp_mpp.core.ports import StoreError, StoreUnavailable
from flask_otp_mpp.core.secret import clear_frames
from flask_otp_mpp.core.trace import count_attempt, count_retry
from flask_otp_mpp.stores.options import POOL_SECONDS
from flask_otp_mpp.stores.redis.client import Client, ClientSource
from flask_otp_mpp.stores.redis.connections import Generation

_T = TypeVar("_T")

_NO_ANSWER: Final = (
    redis.ConnectionError,
    redis.TimeoutError,
    ClusterDownError,
    RedisClusterException,
)
_NOTHING_DONE: Final = (ReadOnlyError, MasterDownError, BusyLoadingError, ClusterDownError)
# Redis 6.2 puts the code of a script's error into its text; redis-py has no class for NOREPLICAS.
_REFUSED: Final = re.compile(r"(^|-)(READONLY|MASTERDOWN|NOREPLICAS) ")


def do(source: ClientSource, work: Callable[[Client], _T]) -> _T:
    """Do work by a client; once more, on new connections, if the server says that nothing was done.

    So it is after a failover behind one name: the open connections are still those to the old
    primary, which lives on as a replica. A connection that breaks says nothing of what was done, so
    after that nothing is repeated.

    :raises StoreError: if it can't be done, or nobody knows whether it was.
    :raises StoreUnavailable: if the server does not answer, or the time of the request is over.
    """
    if not seconds_left(POOL_SECONDS):
        raise StoreUnavailable("the OTP store in Redis was not asked: no time is left")
    try:
        with source.free:
            client = source.get()
            count_attempt()
            try:
                return work(client)
            except RedisError as error:
                if not nothing_was_done(error):
                    raise
            _renew(client)
            count_retry()
            count_attempt()
            return work(client)
    except StoreUnavailable:  # no connection was free
        raise
    # A cluster's client before redis-py 8 closes connections that other threads read from, which
    # then fail with ValueError or AttributeError.
    except Exception as error:
        clear_frames(error)  # the client's hold the password of the connection
        kind = StoreUnavailable if isinstance(error, _NO_ANSWER) else StoreError
        raise kind(f"the OTP store in Redis failed: {type(error).__name__}") from error


def nothing_was_done(error: RedisError) -> bool:
    """Tell whether a server has refused a command, or a script at its first write.

    Such a server is a replica, or has lost its own replicas, or its link to the primary; or it
    loads its file; or its cluster is down. Another server may be the primary by now.
    """
    if isinstance(error, _NOTHING_DONE):
        return True
    return isinstance(error, ResponseError) and _REFUSED.search(str(error)) is not None


def _renew(client: Client) -> None:
    """Have the open connections replaced; one that another thread uses ends its work first."""
    if isinstance(client, redis.RedisCluster):
        client.nodes_manager.initialize()
        return
    pool = client.connection_pool
    generation = pool.connection_kwargs.get("generation")
    if isinstance(generation, Generation):
        generation.end()
    else:
        with suppress(TypeError):  # a blocking pool of redis-py 6 could only cut off all of them
            pool.disconnect(inuse_connections=False)
