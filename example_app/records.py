"""The database of the example wallet: users, their grants, and the messages they received.

The package keeps its challenges in another database and does not use these tables.
"""

from __future__ import annotations

import secrets
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
    user_id: Mapped[str]  # no foreign key: a grant may outlive its user's account
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
    made = sa.create_engine(url)
    sa.event.listen(made, "connect", _write_ahead)
    return made


def _write_ahead(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")


def records() -> Session:
    """Begin a session of the current app; its objects can be used after it ends."""
    return Session(cast(sa.Engine, current_app.extensions["records"]), expire_on_commit=False)


def grant_in_force(session: Session, user_id: str) -> Grant | None:
    """Return the grant of a user that is not revoked, None if there is none."""
    in_force = sa.select(Grant).where(Grant.user_id == user_id, Grant.revoked.is_(False))
    return session.scalars(in_force).first()


def by_phone(session: Session, number: str) -> User | None:
    """Return the user with a phone number; spaces in the stored number are ignored."""
    dialled = sa.func.replace(User.phone, " ", "")
    return session.scalars(sa.select(User).where(dialled == number)).first()


def has_mailbox(address: str) -> bool:
    """Tell whether an e-mail address is that of a user."""
    with records() as session:
        return session.scalar(sa.select(User.id).where(User.email == address).limit(1)) is not None


def receive(channel: str, address: str, text: str) -> None:
    """Store a message that a user has received."""
    message = PhoneMessage(
        channel=channel,
        address=address,
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        text=text,
    )
    with records() as session, session.begin():
        session.add(message)


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
