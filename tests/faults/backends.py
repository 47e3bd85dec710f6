"""Empty databases, schemas and key spaces on real servers, removed after the test.

A store is added by a row in ``_BACKENDS``, and in ``SERVERS`` if it has a server.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import redis
import sqlalchemy as sa

from flask_otp_mpp import SQLAlchemyStore
from flask_otp_mpp.stores import from_url
from tests.services import missing
from tests.stores.redis_server import URL as REDIS_URL
from tests.stores.redis_server import client
from tests.stores.servers import mysql_url, postgresql_url


@dataclass(frozen=True)
class Server:
    """A kind of server.

    :param commit: bytes that are in each request that commits.
    """

    name: str
    commit: bytes


# The end of a batch of writes.
POSTGRESQL: Final = Server("postgresql", b";COMMIT\0")
MARIADB: Final = Server("mariadb", b";COMMIT")
REDIS: Final = Server("redis", b"EVALSHA")
SERVERS: Final = {server.name: server for server in (POSTGRESQL, MARIADB, REDIS)}
# Encrypted requests could not be searched for ``commit``.
_PLAIN: Final = "sslmode=disable&gssencmode=disable"


@contextmanager
def empty_backend(name: str, folder: Path) -> Iterator[str]:
    """Make an empty backend with the tables of a store; yield its URL."""
    with _BACKENDS[name](folder) as url:
        make_tables(url)
        yield url


@contextmanager
def _on_postgresql(_: Path) -> Iterator[str]:
    with postgresql_url("faults") as url:
        plain = sa.make_url(url).update_query_string(_PLAIN)
        yield plain.render_as_string(hide_password=False)


@contextmanager
def _on_redis(_: Path) -> Iterator[str]:
    """Take a numbered database that is empty, and empty it after the test."""
    need_redis()
    for number in range(15, 0, -1):
        url = urlsplit(REDIS_URL)._replace(path=f"/{number}").geturl()
        with client(url) as aside:
            if aside.dbsize() == 0 and aside.setnx("otp-faults", 1) and aside.dbsize() == 1:
                try:
                    yield url
                finally:
                    aside.flushdb()
                return
    raise RuntimeError("no database of this Redis is empty")


_BACKENDS: Final[dict[str, Callable[[Path], AbstractContextManager[str]]]] = {
    "sqlite": lambda folder: nullcontext(f"sqlite:///{folder / 'otp.db'}"),
    "postgresql": _on_postgresql,
    "mariadb": lambda _: mysql_url("faults"),
    "redis": _on_redis,
}


def need_redis() -> None:
    """Skip the test if Redis does not answer; fail it if it has to."""
    try:
        with client(REDIS_URL) as aside:
            aside.ping()
    except redis.RedisError as error:
        missing(f"no Redis answers at OTP_MPP_TEST_REDIS_URL: {type(error).__name__}")


def make_tables(url: str) -> None:
    """Make the tables of a store that has any."""
    store = from_url(url)
    if isinstance(store, SQLAlchemyStore):
        store.create_tables()
        store.engine.dispose()


def through_port(url: str, port: int) -> str:
    """Return the same URL with another port of this machine: that of a proxy."""
    parts = urlsplit(url)
    assert parts.port is not None
    return url.replace(f"@{parts.hostname}:{parts.port}", f"@127.0.0.1:{port}").replace(
        f"//{parts.hostname}:{parts.port}", f"//127.0.0.1:{port}"
    )


def host_and_port(url: str) -> tuple[str, int]:
    """Return host and port of a server."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port
