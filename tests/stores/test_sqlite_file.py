"""A SQLite file that was deleted or replaced under a running app decides nothing any more."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from flask_otp_mpp.core.reasons import Reason
from flask_otp_mpp.stores import SQLAlchemyStore, StoreError
from flask_otp_mpp.testing.contract.builders import RIGHT, WRONG, answer, opened

SPELLINGS = [
    "sqlite:///{}",
    "sqlite:///file:{}?uri=true",
    "sqlite:///file:{}?cache=private&uri=true",
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "otp.db"


@pytest.fixture(params=SPELLINGS)
def workers(request: pytest.FixtureRequest, file: Path) -> Iterator[list[SQLAlchemyStore]]:
    """Return two workers that have served already, on a file in each spelling of its name."""
    stores = [SQLAlchemyStore(request.param.format(file)) for _ in range(2)]
    stores[0].create_tables()
    for number, store in enumerate(stores):
        assert answer(store, opened(store, str(number)), RIGHT) is None
    yield stores
    for store in stores:
        store.engine.dispose()


def replace(file: Path) -> None:
    """Put a copy in the place of a file, as a restored backup is."""
    copy = file.with_suffix(".copy")
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    for beside in ("-wal", "-shm"):
        Path(f"{file}{beside}").unlink(missing_ok=True)
    copy.replace(file)


def test_a_code_is_won_once_though_the_file_was_replaced(
    workers: list[SQLAlchemyStore], file: Path
) -> None:
    """L5, L6, O8: each worker drops the connections to the old file, and works on the new one."""
    challenge = opened(workers[0], "bob")
    replace(file)
    workers[1].engine.dispose()  # it opens the new file anyhow
    found = [answer(store, challenge, RIGHT) for store in (*workers, *workers)]
    assert found.count(None) == 1


def test_wrong_codes_are_counted_together_though_the_file_was_replaced(
    workers: list[SQLAlchemyStore], file: Path
) -> None:
    """A1, O8: nobody gets further guesses from a worker with a file of its own."""
    challenge = opened(workers[0], "bob")
    replace(file)
    workers[1].engine.dispose()  # it opens the new file anyhow
    found = [answer(store, challenge, WRONG) for _ in range(5) for store in workers]
    assert found.count(Reason.CODE_UNMATCHED) == 5


def test_a_deleted_file_is_an_error_and_is_not_made_anew(
    workers: list[SQLAlchemyStore], file: Path
) -> None:
    """A7, O8: neither by a connection that was open nor by a new one."""
    challenge = opened(workers[0], "bob")
    file.unlink()
    for store in workers * 2:
        with pytest.raises(StoreError):
            answer(store, challenge, RIGHT)
        with pytest.raises(StoreError):
            opened(store, "carol")
        with pytest.raises(StoreError):
            store.get_answer("key")
    assert not file.exists()


def test_workers_serve_when_the_file_is_back(workers: list[SQLAlchemyStore], file: Path) -> None:
    away = file.with_suffix(".away")
    for store in workers:
        store.engine.dispose()
    file.rename(away)
    for store in workers:
        with pytest.raises(StoreError):
            opened(store, "bob")
    away.rename(file)
    for number, store in enumerate(workers):
        opened(store, f"user {number}")


def test_only_init_db_makes_the_file_and_only_its_owner_reads_it(file: Path) -> None:
    """X11: whatever the permissions of new files are."""
    store = SQLAlchemyStore(f"sqlite:///{file}")
    before = os.umask(0)
    try:
        with pytest.raises(StoreError):
            opened(store)
        assert not file.exists()
        store.create_tables()
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert answer(store, opened(store), RIGHT) is None
    store.engine.dispose()


def test_a_file_that_can_not_be_made_says_why(tmp_path: Path) -> None:
    store = SQLAlchemyStore(f"sqlite:///{tmp_path}/nowhere/otp.db")
    with pytest.raises(StoreError, match="unable to create the file: No such file"):
        store.create_tables()
