"""The SQL store keeps every promise on a MariaDB or MySQL server, whatever its defaults."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.stores.on_server import OnServer, tables_at
from tests.stores.servers import mysql_url


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with tables_at(mysql_url("suite")) as url:
        yield url


class TestMySQL(OnServer):
    """T2, A9: the suite, its races between processes, and a server that is away."""

    closed = "mysql+pymysql://root:hunter2@127.0.0.1:1/test"
