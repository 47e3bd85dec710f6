"""A SQLite file is shared by processes, and keeps every promise among them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import ClassVar

import pytest

from flask_otp_mpp.core.ports import Store
from flask_otp_mpp.stores import SQLAlchemyStore
from flask_otp_mpp.testing import BackendFaults, FrozenClock, SharedStoreContract
from tests.wallet import make_tables


class TestSQLiteFile(SharedStoreContract, BackendFaults):
    """T2, A9: the suite, with its races between processes, and a file that is no database."""

    empty: ClassVar[Path]

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def tables(cls, tmp_path_factory: pytest.TempPathFactory) -> None:
        """Make the tables once; each test gets a copy of the file."""
        cls.empty = tmp_path_factory.mktemp("empty") / "otp.db"
        make_tables(f"sqlite:///{cls.empty}")

    def make(self, folder: Path, clock: FrozenClock) -> Store:
        shutil.copyfile(self.empty, folder / "otp.db")
        store = SQLAlchemyStore(f"sqlite:///{folder}/otp.db", clock)
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
