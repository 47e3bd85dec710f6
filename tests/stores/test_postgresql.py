"""The SQL store keeps every promise on a PostgreSQL server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.stores.on_server import OnServer, tables_at
from tests.stores.servers import postgresql_url


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with tables_at(postgresql_url("suite")) as url:
        yield url


class TestPostgreSQL(OnServer):
    """T2, A9: the suite, its races between processes, and a server that is away."""

    closed = "postgresql+psycopg://root:hunter2@127.0.0.1:1/test"
