"""The whole suite on a SQL server: a test class names the server, the rest is said here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import ClassVar, Final

import pytest
import sqlalchemy as sa
from hypothesis import settings

from flask_otp_mpp.core.clock import Clock
from flask_otp_mpp.core.ports import Store
from flask_otp_mpp.stores import SQLAlchemyStore, StoreOptions
from flask_otp_mpp.stores.sql.schema import metadata
from flask_otp_mpp.testing import BackendFaults, FrozenClock, SharedStoreContract, StoreContract

# On a busy machine 32 threads that lock one row may need longer than a caller would wait.
IN_NO_HURRY: Final = StoreOptions(pool_size=32, statement_timeout=20)


@contextmanager
def tables_at(place: AbstractContextManager[str]) -> Iterator[str]:
    """Make the tables in an empty place; give its URL."""
    with place as url:
        store = SQLAlchemyStore(url)
        store.create_tables()
        store.engine.dispose()
        yield url


class InOneProcess(StoreContract):
    """Run the contract in one place on a server, emptied before each claim."""

    url: str
    agreement = settings(StoreContract.agreement, max_examples=30)

    @pytest.fixture(autouse=True)
    def opened_stores(self, url: str) -> Iterator[None]:
        self.url = url
        self.stores: list[SQLAlchemyStore] = []
        yield
        self.close()

    def open(self, url: str, clock: Clock | None) -> SQLAlchemyStore:
        self.stores.append(SQLAlchemyStore(url, clock, IN_NO_HURRY))
        return self.stores[-1]

    def close(self) -> None:
        while self.stores:
            self.stores.pop().engine.dispose()

    def make(self, folder: Path, clock: FrozenClock) -> SQLAlchemyStore:
        self.time = clock
        store = self.open(self.url, clock)
        with store.engine.begin() as db:
            for table in metadata.sorted_tables:
                db.execute(sa.delete(table))
        return store

    def restart(self, store: Store) -> Store:
        return self.open(self.url, self.time)

    def end(self, store: Store) -> None:
        self.close()


class OnServer(InOneProcess, SharedStoreContract, BackendFaults):
    """Race in several processes as well, and ask a server that is away."""

    closed: ClassVar[str]
    """A URL of the same kind, of a port where nobody listens."""

    def opener(self, store: Store) -> Callable[[], SQLAlchemyStore]:
        return partial(SQLAlchemyStore, self.url, self.time, IN_NO_HURRY)

    def broken(self, folder: Path, clock: FrozenClock) -> Store:
        return self.open(self.closed, clock)
