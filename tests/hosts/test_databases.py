"""The host's database session is never begun, flushed, committed or rolled back by us."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask, Response
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from flask_otp_mpp import Caller, SQLAlchemyStore
from flask_otp_mpp.callers.alipayplus import AlipayPlusAnswer
from tests.codes import wrong_code
from tests.hosts.hostile_hosts import open_host, sealed
from tests.wallet import User, Wallet, load_user

SPIED = (
    "before_flush", "after_flush", "before_commit", "after_commit", "after_rollback",
    "after_soft_rollback",
)  # fmt: skip


class Base(DeclarativeBase):
    pass


class Note(Base):
    __tablename__ = "note"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(sa.String(99))


@dataclass
class HostDatabase:
    """A host with Flask-SQLAlchemy, whose loader leaves work undone in the session."""

    db: SQLAlchemy
    store: SQLAlchemyStore
    wallet: Wallet = field(init=False)
    seen: list[str] = field(default_factory=list)
    touched: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    pending: list[int] = field(default_factory=list)
    ttl: bool = False
    flushing: bool = False

    def load(self, token: str, caller: Caller) -> User | None:
        session: Session = self.db.session()
        session.add(Note(text=f"asked for {token}"))
        if self.flushing:
            session.flush()
        self.seen.clear()
        return load_user(token, caller)

    def finish(self, app: Flask) -> None:
        """Look at the session when we are done, before the host's own teardown takes it away."""

        @app.after_request
        def look(response: Response) -> Response:
            self.pending.append(len(self.db.session.new))
            self.touched.extend(self.seen)
            if self.ttl:
                self.db.session.commit()
                self.kept.extend(self.seen)
            return response

    def notes(self) -> int:
        with self.wallet.app.app_context():
            count = self.db.session.scalar(sa.select(sa.func.count()).select_from(Note))
            return int(count or 0)


Open = Callable[..., HostDatabase]


@pytest.fixture(params=["the-same-file", "another-file"])
def open_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Open a host whose database and ours are one SQLite file, or two."""
    same = request.param == "the-same-file"
    opened: list[HostDatabase] = []

    def make(*, ttl: bool = False, flushing: bool = False) -> HostDatabase:
        store = SQLAlchemyStore(f"sqlite:///{tmp_path / ('host.db' if same else 'otp.db')}")
        host = HostDatabase(SQLAlchemy(model_class=Base), store, ttl=ttl, flushing=flushing)
        opened.append(host)

        def prepare(app: Flask) -> None:
            host.finish(app)
            app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{tmp_path / 'host.db'}"
            host.db.init_app(app)

        store.create_tables()
        host.wallet = open_host(prepare, loader=host.load, options={"store": store})
        with host.wallet.app.app_context():
            Base.metadata.create_all(host.db.engine)
        for event in SPIED:
            sa.event.listen(host.db.session, event, spy(host, event))
        return host

    yield make
    for host in opened:
        host.store.engine.dispose()
        with host.wallet.app.app_context():
            host.db.engine.dispose()


def spy(host: HostDatabase, event: str) -> Callable[..., None]:
    def note(*_: object) -> None:
        host.seen.append(event)

    return note


def ask_everything(host: HostDatabase) -> list[str]:
    """Send, be refused, be wrong, be right: each writes to our store."""
    wallet, answers = host.wallet, []

    def ask(answer: AlipayPlusAnswer) -> None:
        answers.append(sealed(answer))

    sent = wallet.caller.send("tok-ada")
    ask(sent)
    ask(wallet.caller.send("tok-ada"))
    code = wallet.inbox.code
    ask(wallet.caller.verify("tok-ada", sent.verify_request_id, wrong_code(code)))
    ask(wallet.caller.verify("tok-ada", sent.verify_request_id, code))
    ask(wallet.caller.verify("tok-ada", sent.verify_request_id, code))
    ask(wallet.caller.send("frozen"))
    assert host.touched == []
    return answers


ANSWERS = [
    "SUCCESS", "OTP_SEND_TIMES_EXCEED_LIMIT", "OTP_VERIFY_UNMATCHED", "SUCCESS",
    "VERIFY_REQUEST_ID_INVALID", "USER_STATUS_ABNORMAL",
]  # fmt: skip


def test_the_hosts_pending_work_is_not_committed_by_us(open_database: Open) -> None:
    """T1: whatever we answered, it still lies in the session, and goes if the host lets it go."""
    host = open_database()
    assert ask_everything(host) == ANSWERS
    assert host.pending == [1] * len(ANSWERS)
    assert host.notes() == 0


def test_the_hosts_pending_work_is_not_lost_by_us(open_database: Open) -> None:
    """T1: the host may commit it after our answer, also when that was a refusal."""
    host = open_database(ttl=True)
    assert ask_everything(host) == ANSWERS
    assert host.pending == [1] * len(ANSWERS)
    assert host.notes() == len(ANSWERS)
    assert host.kept.count("after_commit") == len(ANSWERS)  # the spy does see what happens


@pytest.mark.parametrize("open_database", ["another-file"], indirect=True)
def test_work_that_the_host_has_flushed_stays_in_its_transaction(open_database: Open) -> None:
    """T1: with a database of its own to write to, ours does not wait for the host's."""
    host = open_database(ttl=True, flushing=True)
    assert ask_everything(host) == ANSWERS
    assert host.notes() == len(ANSWERS)


@pytest.mark.slow
@pytest.mark.parametrize("open_database", ["the-same-file"], indirect=True)
def test_a_host_that_holds_the_write_lock_of_our_file_gets_no_code_out(open_database: Open) -> None:
    """T1: SQLite has one writer; we give up in time, send nothing, and leave its work alone."""
    host = open_database(ttl=True, flushing=True)

    def hurry(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA busy_timeout=50")

    host.store.engine.dispose()
    sa.event.listen(host.store.engine, "connect", hurry)
    assert sealed(host.wallet.caller.send("tok-ada")) == "UNKNOWN_EXCEPTION"
    assert len(host.wallet.inbox) == 0
    assert host.notes() == 1
