"""A test that needs a database server gets an empty place of its own there, dropped at its end.

A server that does not answer is a reason to skip, unless OTP_MPP_TEST_REQUIRE_SERVICES is 1.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from tests.services import missing

POSTGRESQL: Final = "OTP_MPP_TEST_POSTGRESQL_URL"
MYSQL: Final = "OTP_MPP_TEST_MYSQL_URL"
DEFAULTS: Final = {
    POSTGRESQL: "postgresql+psycopg://root@127.0.0.1:5432/test",
    MYSQL: "mysql+pymysql://root@127.0.0.1:3306/test",
}


@contextmanager
def postgresql_url(name: str) -> Iterator[str]:
    """Make a schema; give a URL by which every connection finds its tables there and nowhere else.

    :param name: a word that tells a reader of the server's list whose place it is.
    """
    place = _named(name)
    url = run(POSTGRESQL, f"CREATE SCHEMA {place}")
    try:
        mine = url.update_query_dict({"options": f"-c search_path={place}"})
        yield mine.render_as_string(hide_password=False)
    finally:
        run(POSTGRESQL, f"DROP SCHEMA {place} CASCADE")


@contextmanager
def own_database(name: str, options: str = "") -> Iterator[sa.URL]:
    """Make a database of PostgreSQL, for what a schema is not enough; give its URL."""
    place = _named(name)
    url = run(POSTGRESQL, f"CREATE DATABASE {place} {options}")
    try:
        yield url.set(database=place)
    finally:
        run(POSTGRESQL, f"DROP DATABASE {place} WITH (FORCE)")


@contextmanager
def mysql_url(name: str) -> Iterator[str]:
    """Make a database; give its URL."""
    place = _named(name)
    # What an administrator may have chosen who thinks of names of people: 'Ada' = 'ada' = 'ada '.
    url = run(MYSQL, f"CREATE DATABASE {place} CHARACTER SET latin1 COLLATE latin1_swedish_ci")
    try:
        yield url.set(database=place).render_as_string(hide_password=False)
    finally:
        run(MYSQL, f"DROP DATABASE {place}")


def run(variable: str, *statements: str) -> sa.URL:
    """Say something to a server as its administrator; skip the test if it does not answer.

    :returns: the server's URL.
    """
    url = sa.make_url(os.environ.get(variable, DEFAULTS[variable]))
    engine = sa.create_engine(
        url,
        isolation_level="AUTOCOMMIT",
        poolclass=sa.NullPool,
        connect_args={"connect_timeout": 3},
    )
    try:
        db = engine.connect()
    except SQLAlchemyError as error:
        missing(f"no server answers at {variable}: {type(error).__name__}")
    with db:
        for statement in statements:
            db.exec_driver_sql(statement)
    return url


def _named(name: str) -> str:
    return f"otp_mpp_{name}_{os.getpid()}_{secrets.token_hex(3)}"
