"""The SQL store keeps every promise on a MariaDB or MySQL server, whatever its defaults."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.stores.on_server import OnServer, tables_at
from tests.stores.servers import mysql_url

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with tables_at(mysql_url("suite")) as url:
        yield url


class TestMySQL(OnServer):
    """T2, A9: the suite, its races between processes, and a server that is away."""

    closed = "mysql+pymysql://root:hunter2@127.0.0.1:1/test"


ENGINES = """
import sys
import sqlalchemy as sa
from flask_otp_mpp import SQLAlchemyStore
from flask_otp_mpp.stores.sql import schema

host = sa.MetaData()
if "attached" in sys.argv:
    schema.attach_tables(host)
    engine = sa.create_engine(sys.argv[1])
    host.create_all(engine)
else:
    store = SQLAlchemyStore(sys.argv[1])
    store.create_tables()
    engine = store.engine
with engine.connect() as db:
    engines = "SELECT ENGINE, TABLE_COLLATION FROM information_schema.TABLES"
    ours = " WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME <> 'otp_mpp_revision'"
    print(*{"/".join(row) for row in db.exec_driver_sql(engines + ours)})
engine.dispose()
"""


@pytest.mark.parametrize("how", ["stored", "attached"])
def test_tables_have_transactions_and_all_of_unicode_whatever_the_server_would_give(
    how: str,
) -> None:
    """T2: in a process of its own, which has heard of no MySQL before."""
    with mysql_url("defaults") as url:
        defaults = "SET default_storage_engine = MyISAM, character_set_database = latin1"
        # A store says things of its own to each session.
        asked = {"stored": url, "attached": f"{url}?init_command={defaults}"}[how]
        done = subprocess.run(
            [sys.executable, "-c", ENGINES, asked, how], capture_output=True, text=True, check=True
        )
    assert done.stdout == "InnoDB/utf8mb4_bin\n"
