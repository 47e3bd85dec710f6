"""The tables are made and upgraded by one process at a time, and what was done is told."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

import pytest
import sqlalchemy as sa

from flask_otp_mpp.core.ports import StoreError
from flask_otp_mpp.stores import SQLAlchemyStore
from flask_otp_mpp.stores.sql import changes, schema
from flask_otp_mpp.testing.contract.builders import RIGHT, answer, opened
from tests.services import MYSQL, POSTGRESQL
from tests.stores.servers import mysql_url, postgresql_url
from tests.stores.test_schema import to_revision

MANY: Final = 16
AT_ONCE = """
import os, sys
from flask_otp_mpp import SQLAlchemyStore

url, verb, many = sys.argv[1], sys.argv[2], int(sys.argv[3])
import alembic.command, alembic.config, pymysql, psycopg  # before the race
ready, go = os.pipe()
for _ in range(many):
    if os.fork() == 0:
        os.close(go)
        os.read(ready, 1)  # returns when all ends for writing are closed
        try:
            said = getattr(SQLAlchemyStore(url), verb)()
        except Exception as error:
            said = f"FAILED: {type(error).__name__}: {error}"
        os.write(1, f"{said}\\n".encode())
        os._exit(0)
os.close(go)
for _ in range(many):
    os.wait()
"""


@pytest.fixture(params=["sqlite", POSTGRESQL, MYSQL])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/otp.db"
        return
    at = postgresql_url if request.param == "postgresql" else mysql_url
    with at("changes") as url:
        yield url


def at_once(url: str, verb: str) -> list[str]:
    """Do something to the tables in many processes at once; return what each said without place."""
    done = subprocess.run(
        [sys.executable, "-c", AT_ONCE, url, verb, str(MANY)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    where = sa.make_url(url).set(query={}).render_as_string()
    said = [line.rpartition(where.partition("://")[2])[2] for line in done.stdout.splitlines()]
    return sorted(line.removeprefix(": ") for line in said)


@pytest.mark.slow
def test_of_many_hosts_that_prepare_a_database_one_does_and_none_fails(place: str) -> None:
    """O1: and so do those that upgrade it; each says what it has done."""
    nothing = f"nothing to do, the tables are of revision {schema.REVISION}"
    names = ", ".join(
        [*(table.name for table in schema.metadata.sorted_tables), "otp_mpp_revision"]
    )
    assert at_once(place, "create_tables") == [f"created 4 tables: {names}"] + [nothing] * (
        MANY - 1
    )
    store = SQLAlchemyStore(place)
    to_revision(store.engine, "0002")
    upgraded = f"upgraded from revision 0002 to {schema.REVISION}"
    assert at_once(place, "upgrade_tables") == [nothing] * (MANY - 1) + [upgraded]
    assert answer(store, opened(store), RIGHT) is None
    store.engine.dispose()


@pytest.mark.parametrize("place", [POSTGRESQL, MYSQL], indirect=True)
def test_a_process_that_changes_the_tables_is_not_waited_for_for_ever(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """O1: and it is told what is waited for."""
    monkeypatch.setattr(changes, "WAIT_SECONDS", 0.1)
    store = SQLAlchemyStore(place)
    with store.engine.begin() as other:
        assert store.database.lock_tables(other)
        with pytest.raises(StoreError, match="another process has been changing the tables"):
            store.create_tables()
    store.engine.dispose()
    assert "created 4 tables" in store.create_tables()
    store.engine.dispose()


@pytest.mark.server
@pytest.mark.parametrize("server", [postgresql_url, mysql_url])
def test_stores_in_two_schemas_of_one_server_do_not_wait_for_one_another(
    server: Callable[[str], AbstractContextManager[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """O1: only who changes the same tables is waited for."""
    monkeypatch.setattr(changes, "WAIT_SECONDS", 0.1)
    with server("one") as first, server("two") as second:
        one, two = SQLAlchemyStore(first), SQLAlchemyStore(second)
        with one.engine.begin() as changing:
            assert one.database.lock_tables(changing)
            assert "created 4 tables" in two.create_tables()
        one.engine.dispose()
        two.engine.dispose()


def test_an_empty_database_gets_all_tables_by_an_upgrade(place: str) -> None:
    """O1: and it can serve."""
    store = SQLAlchemyStore(place)
    assert store.upgrade_tables().endswith(f": created the tables, of revision {schema.REVISION}")
    assert store.check().endswith(", tables present")
    store.engine.dispose()
