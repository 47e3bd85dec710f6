"""A SQLite file is shared by processes, and keeps every promise among them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from flask_otp_mpp.core.ports import Store
from flask_otp_mpp.stores import SQLAlchemyStore
from flask_otp_mpp.testing import BackendFaults, FrozenClock, SharedStoreContract


class TestSQLiteFile(SharedStoreContract, BackendFaults):
    """T2, A9: the suite, with its races between processes, and a file that is no database."""

    def make(self, folder: Path, clock: FrozenClock) -> Store:
        store = SQLAlchemyStore(f"sqlite:///{folder}/otp.db", clock)
        store.create_tables()
        self.time = clock
        self.stores = [store]
        return store

    def opener(self, store: Store) -> Callable[[], SQLAlchemyStore]:
        assert isinstance(store, SQLAlchemyStore)
        return partial(SQLAlchemyStore, str(store.engine.url), self.time)

    def restart(self, store: Store) -> Store:
        self.stores.append(self.opener(store)())
        return self.stores[-1]

    def broken(self, folder: Path, clock: FrozenClock) -> Store:
        (folder / "otp.db").write_bytes(b"no database at all" * 100)
        self.stores = [SQLAlchemyStore(f"sqlite:///{folder}/otp.db", clock)]
        return self.stores[0]

    def end(self, store: Store) -> None:
        for opened in self.stores:
            opened.engine.dispose()
