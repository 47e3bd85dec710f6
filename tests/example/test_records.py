"""What requests ask of the wallet's own database, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import Result
from flask import Flask
from sqlalchemy.orm import Session

from example_app.records import Record, engine, first_users
from flask_otp_mpp.callers.alipayplus import AlipayPlusCaller
from tests.services import POSTGRESQL
from tests.stores.servers import postgresql_url

Wallet = Callable[..., Result]


@pytest.fixture(params=["sqlite", POSTGRESQL])
def home(
    request: pytest.FixtureRequest, home: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """Give an instance folder whose wallet has its records in the database of the parameter."""
    if request.param == "sqlite":
        yield home
        return
    with postgresql_url("records") as url:
        database = engine(url)
        Record.metadata.create_all(database)
        with Session(database) as session, session.begin():
            session.add_all(first_users())
        database.dispose()
        monkeypatch.setenv("FLASK_WALLET_DATABASE", url)
        yield home
        database.dispose()


@pytest.fixture
def asked(app: Flask) -> Iterator[list[str]]:
    """Give the first words of the statements that reach the records, and their commits."""
    words: list[str] = []
    records: sa.Engine = app.extensions["records"]

    @sa.event.listens_for(records, "before_cursor_execute")
    def note(_db: object, _cursor: object, statement: str, *_rest: object) -> None:
        words.append(statement.split(maxsplit=1)[0])

    @sa.event.listens_for(records, "commit")
    def note_commit(_db: object) -> None:
        words.append("COMMIT")

    yield words
    records.dispose()


def test_a_send_asks_one_statement_and_writes_one_and_a_verify_asks_one(
    app: Flask, alipayplus: AlipayPlusCaller, wallet: Wallet, asked: list[str]
) -> None:
    token = wallet("token", "ada").stdout.strip()
    asked.clear()
    sent = alipayplus.send(token)
    assert (sent.code, asked) == ("SUCCESS", ["SELECT", "INSERT", "COMMIT"])
    code = app.test_client().get("/phone.json").get_json()[0]["text"].split()[0]
    asked.clear()
    assert alipayplus.verify(token, sent.verify_request_id, code).code == "SUCCESS"
    assert asked == ["SELECT"]


@pytest.mark.parametrize(
    ("user", "code"), [("fred", "USER_STATUS_ABNORMAL"), ("gwen", "USER_NOT_EXIST")]
)
def test_the_one_statement_tells_why_a_user_is_refused(
    alipayplus: AlipayPlusCaller, wallet: Wallet, asked: list[str], user: str, code: str
) -> None:
    token = wallet("token", user).stdout.strip()
    asked.clear()
    assert (alipayplus.send(token).code, asked) == (code, ["SELECT"])
    wallet("revoke", user)
    assert alipayplus.send(token).code == "INVALID_TOKEN"
