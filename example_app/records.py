"""The database of the example wallet: users, their grants, and the messages they received.

The package keeps its challenges in another database and does not use these tables. What every
request asks is a statement that is written, and compiled, once. Pages and commands use the ORM.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import sqlalchemy as sa
from flask import Flask, current_app
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedAsDataclass, Session, mapped_column


class Record(MappedAsDataclass, DeclarativeBase, kw_only=True):
    """Base of the rows of the wallet's tables."""


class User(Record):
    """A user of the wallet; when an account is closed, its row is deleted."""

    __tablename__ = "users"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    phone: Mapped[str | None] = mapped_column(default=None)
    email: Mapped[str | None] = mapped_column(default=None)
    frozen: Mapped[bool] = mapped_column(default=False)


class Grant(Record):
    """A user's consent that a merchant may act for them; their access tokens name it."""

    __tablename__ = "grants"

    id: Mapped[str] = mapped_column(
        primary_key=True, init=False, default_factory=lambda: secrets.token_hex(8)
    )
    user_id: Mapped[str] = mapped_column(index=True)  # no foreign key: it may outlive its user
    revoked: Mapped[bool] = mapped_column(default=False)


class PhoneMessage(Record):
    """A message that a user received, on whichever channel."""

    __tablename__ = "phone_messages"

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    channel: Mapped[str]
    address: Mapped[str]
    at: Mapped[str]
    text: Mapped[str]


def connect(app: Flask) -> None:
    """Connect an app with the database that its configuration names."""
    app.extensions["records"] = engine(app.config["WALLET_DATABASE"])


def engine(url: str) -> sa.Engine:
    """Return an engine for a database in which reads do not wait for writes."""
    # SQLAlchemy's pool keeps 5 connections, for a file of SQLite too. With more threads than that,
    # a request would often open one for itself, which costs more than its statement.
    made = sa.create_engine(url, pool_size=16)
    if made.dialect.name == "sqlite":
        sa.event.listen(made, "connect", _write_ahead)
    return made


def _write_ahead(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    # A commit does not wait for the disk: a power failure may take the last messages of a trial.
    connection.execute("PRAGMA synchronous = NORMAL")


def records() -> Session:
    """Begin a session of the current app; its objects can be used after it ends."""
    return Session(_database(), expire_on_commit=False)


def _database() -> sa.Engine:
    return cast(sa.Engine, current_app.extensions["records"])


@dataclass(frozen=True, slots=True)
class Account:
    """A user as a request needs them: an id, and where codes go."""

    id: str
    phone: str | None
    email: str | None


_ASKED = (User.id, User.phone, User.email, User.frozen)
_KEY: sa.BindParameter[str] = sa.bindparam("key")
_IN_FORCE = sa.exists().where(Grant.user_id == User.id, Grant.revoked.is_(False))

BY_GRANT = (
    sa.select(*_ASKED)  # all NULL if the grant has outlived its user's account
    .select_from(sa.outerjoin(Grant, User, User.id == Grant.user_id))
    .where(Grant.id == _KEY, Grant.revoked.is_(False))
)
BY_ID = sa.select(*_ASKED, _IN_FORCE.label("granted")).where(User.id == _KEY)
BY_PHONE = sa.select(*_ASKED).where(sa.func.replace(User.phone, " ", "") == _KEY)
BY_EMAIL = sa.select(*_ASKED).where(User.email == _KEY)
_RECEIVE = sa.insert(PhoneMessage).inline()  # nobody asks for the id of the new row


def find(statement: sa.Executable, key: str) -> sa.Row[Any] | None:
    """Return the first row of a statement with a key; the connection goes back at once."""
    with _database().connect() as connection:
        return connection.execute(statement, {"key": key}).first()


def grant_in_force(session: Session, user_id: str) -> Grant | None:
    """Return the grant of a user that is not revoked, None if there is none."""
    in_force = sa.select(Grant).where(Grant.user_id == user_id, Grant.revoked.is_(False))
    return session.scalars(in_force).first()


def receive(channel: str, address: str, text: str) -> None:
    """Store a message that a user has received."""
    at = datetime.now(UTC).isoformat(timespec="seconds")
    row = {"channel": channel, "address": address, "at": at, "text": text}
    with _database().begin() as connection:
        connection.execute(_RECEIVE, row)


def first_users() -> list[Any]:
    """Return the first users of the wallet, one of each kind, and their grants."""
    return [
        User(id="ada", name="Ada Lovelace", phone="+63 917 555 0101", email="ada@mail.example"),
        User(
            id="fred", name="Fred Frost", phone="+63 917 555 0102", email="fred@mail.example",
            frozen=True,
        ),
        User(id="nora", name="Nora Nomail", phone="+63 917 555 0103"),
        *(Grant(user_id=user) for user in ("ada", "fred", "nora")),
        Grant(user_id="gwen"),  # who has closed her account
    ]  # fmt: skip
