"""The stores whose histories are checked, and how each is opened."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

from flask_otp_mpp.core.ports import Store
from flask_otp_mpp.stores import MemoryStore, SQLAlchemyStore
from flask_otp_mpp.stores.redis.store import RedisStore
from flask_otp_mpp.testing import FrozenClock
from tests.stores.redis_server import URL, prefixed
from tests.stores.servers import mysql_url, postgresql_url

Opening: TypeAlias = Callable[[Path, FrozenClock], AbstractContextManager[Store]]


@contextmanager
def memory(folder: Path, clock: FrozenClock) -> Iterator[Store]:
    yield MemoryStore(clock)


@contextmanager
def sqlite(folder: Path, clock: FrozenClock) -> Iterator[Store]:
    store = SQLAlchemyStore(f"sqlite:///{folder}/otp.db", clock)
    store.create_tables()
    yield store
    store.engine.dispose()


@contextmanager
def on_server(
    place: Callable[[str], AbstractContextManager[str]], folder: Path, clock: FrozenClock
) -> Iterator[Store]:
    with place("history") as url:
        store = SQLAlchemyStore(url, clock)
        store.create_tables()
        yield store
        store.engine.dispose()


@contextmanager
def on_redis(folder: Path, clock: FrozenClock) -> Iterator[Store]:
    with prefixed() as prefix:
        store = RedisStore(URL, clock, prefix=prefix)
        yield store
        store.close()


# A user's keys are looked for, one batch after another, and then deleted.
FORGET_IN_PARTS: Final = {"redis"}

# How each is opened, and how many histories of it are recorded.
STORES: Final[dict[str, tuple[Opening, int]]] = {
    "memory": (memory, 200),
    "sqlite": (sqlite, 50),
    "postgresql": (partial(on_server, postgresql_url), 30),
    "mysql": (partial(on_server, mysql_url), 30),
    "redis": (on_redis, 50),
}
