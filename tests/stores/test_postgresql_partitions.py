"""The store keeps every promise on the partitions that docs/scaling.md describes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from flask_otp_mpp.core.codes import new_challenge_id
from flask_otp_mpp.core.reasons import Outcome
from flask_otp_mpp.stores import SQLAlchemyStore
from flask_otp_mpp.stores.sql.schema import metadata
from flask_otp_mpp.testing.contract.builders import POLICY, RIGHT, answer, draft, opened
from tests.stores.on_server import InOneProcess, tables_at
from tests.stores.own_servers import newest_postgresql
from tests.stores.servers import postgresql_url

pytestmark = pytest.mark.server

DEPLOY = Path(__file__).parents[2] / "deploy"
PARTITIONS = (DEPLOY / "postgresql_partitions.sql").read_text()
DAYS = (DEPLOY / "postgresql_partition_days.sql").read_text()


@contextmanager
def connected(url: str) -> Iterator[psycopg.Connection]:
    """Connect as psql does: each statement is a transaction of its own."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with closing(engine.raw_connection()) as connection:
        db = connection.driver_connection
        assert isinstance(db, psycopg.Connection)
        db.autocommit = True
        yield db


def run(url: str, text: str) -> list[str]:
    """Run a file of SQL; return the warnings."""
    with connected(url) as db:
        warnings: list[str] = []
        db.add_notice_handler(lambda notice: warnings.append(notice.message_primary or ""))
        db.execute(text.encode())
        return warnings


def partitions(url: str, table: str) -> set[str]:
    with connected(url) as db:
        found = db.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass",
            [table],
        )
        return {name for (name,) in found}


def of_day(day: datetime) -> str:
    return f"otp_mpp_challenges_{day:%Y%m%d}"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    # A server of its own: the races here and those of other modules would need more connections
    # than one server has.
    with newest_postgresql() as server:
        url = server.url.render_as_string(hide_password=False)
        with tables_at(nullcontext(url)):
            run(url, PARTITIONS)
            run(url, DAYS)
            yield url


@pytest.fixture
def own_url() -> Iterator[str]:
    with tables_at(postgresql_url("own_partitions")) as url:
        yield url


class TestPartitions(InOneProcess):
    """T2: the suite, its agreement with the rules, and its races between threads."""


def test_the_partitioned_tables_have_the_columns_keys_and_indexes_of_the_others(
    url: str, own_url: str
) -> None:
    """T2: an upgrade finds what it knows."""

    def described(place: str) -> object:
        look = sa.inspect(sa.create_engine(place, poolclass=sa.NullPool))
        columns = {
            table: [
                (one["name"], str(one["type"]), one["nullable"], one["default"])
                for one in look.get_columns(table)
            ]
            for table in metadata.tables
        }
        keys = {table: look.get_pk_constraint(table) for table in metadata.tables}
        indexes = {
            (one["name"], *one["column_names"])
            for table in metadata.tables
            for one in look.get_indexes(table)
        }
        return columns, keys, indexes

    assert described(url) == described(own_url)
    assert SQLAlchemyStore(url).check()


def test_a_challenge_is_in_the_partition_of_its_day_and_a_verify_reads_that_one_alone(
    own_url: str,
) -> None:
    """T2: the id tells the day."""
    run(own_url, PARTITIONS)
    run(own_url, DAYS)
    store = SQLAlchemyStore(own_url)
    known = new_challenge_id()
    store.reserve(draft("ada", challenge_id=known), POLICY)
    today = datetime.now(UTC)
    with connected(own_url) as db:
        (found,) = db.execute("SELECT tableoid::regclass::text FROM otp_mpp_challenges").fetchall()
        assert found in {(of_day(today),), (of_day(today - timedelta(days=1)),)}
        for table, column in (
            ("otp_mpp_challenges", "id"), ("otp_mpp_requests", "key"),
            ("otp_mpp_user_limits", "subject"),
        ):  # fmt: skip
            plan = db.execute(
                f"EXPLAIN SELECT * FROM {table} WHERE {column} = '{known}'"
            ).fetchall()
            assert " ".join(line for (line,) in plan).count(f" on {table}_") <= 2, plan
    store.engine.dispose()


def test_days_are_made_ahead_and_dropped_when_their_challenges_are_over(own_url: str) -> None:
    """T2: twice does no harm, and a day that is needed is kept."""
    run(own_url, PARTITIONS)
    assert run(own_url, DAYS) == []
    today = datetime.now(UTC)
    ahead = {of_day(today + timedelta(days=number)) for number in range(7)}
    assert ahead <= partitions(own_url, "otp_mpp_challenges")
    days = {of_day(today - timedelta(days=age)): age for age in (1, 2, 4, 90)}
    with connected(own_url) as db:
        for name, age in days.items():
            db.execute(
                f"CREATE TABLE {name} PARTITION OF otp_mpp_challenges "
                f"FOR VALUES FROM ('{age:02}{name}') TO ('{age:02}{name}x')"
            )
    assert run(own_url, DAYS) == []
    left = partitions(own_url, "otp_mpp_challenges")
    assert {name for name in days if name in left} == {
        name for name, age in days.items() if age <= 2
    }
    assert ahead <= left


def test_rows_are_kept_and_a_day_that_has_some_elsewhere_gets_no_partition(own_url: str) -> None:
    """T2: a code that was sent before is accepted afterwards."""
    store = SQLAlchemyStore(own_url)
    challenge = store.reserve(draft("ada", challenge_id=new_challenge_id()), POLICY)
    store.engine.dispose()
    assert not isinstance(challenge, Outcome)
    run(own_url, PARTITIONS)
    (warning,) = run(own_url, DAYS)
    assert warning.startswith("no partition for ")
    assert answer(store, challenge, RIGHT) is None
    assert answer(store, opened(store, "bob"), RIGHT) is None
    store.engine.dispose()
