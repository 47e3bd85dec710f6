"""The SQL store keeps every promise on the newest PostgreSQL, which a wheel brings."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

from flask_otp_mpp.stores import SQLAlchemyStore
from flask_otp_mpp.testing import StoreContract
from tests.stores.on_server import InOneProcess
from tests.stores.own_servers import newest_postgresql

pytestmark = [pytest.mark.server, pytest.mark.slow]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with newest_postgresql() as server:
        url = server.url.render_as_string(hide_password=False)
        store = SQLAlchemyStore(url)
        store.create_tables()
        assert store.check().startswith("PostgreSQL 18")
        store.engine.dispose()
        yield url


class TestNewestPostgreSQL(InOneProcess):
    """T2: the suite, with few random programs: the machine's PostgreSQL runs many."""

    agreement = settings(StoreContract.agreement, max_examples=5)
