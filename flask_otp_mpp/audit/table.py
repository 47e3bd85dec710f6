"""The table of the trail: its definition, its one INSERT, and what is read of it.

It is no part of the store's tables: it may lie in another database, and an app without a trail has
none. It is never updated. A role that serves needs INSERT and SELECT only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any, Final, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from flask_otp_mpp.audit.chain import Entry
from flask_otp_mpp.audit.record import Kind
from flask_otp_mpp.core.ports import UnfitStore
from flask_otp_mpp.core.trace import Write
from flask_otp_mpp.stores.sql import check, schema
from flask_otp_mpp.stores.sql.changes import STATEMENT_SECONDS
from flask_otp_mpp.stores.sql.statements import CompiledStatement
from flask_otp_mpp.stores.sql.store import SQLAlchemyStore
from flask_otp_mpp.stores.sql.transaction import Transaction
from flask_otp_mpp.stores.sql.types import ExactText, Moment

T = TypeVar("T")
PAGE: Final = 1000
"""Rows that are read at once."""

metadata = sa.MetaData()
audit = sa.Table(
    "otp_mpp_audit",
    metadata,
    sa.Column("chain", ExactText(32), primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("time", Moment, nullable=False, index=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("subject", ExactText(128), nullable=False),
    sa.Column("record", sa.Text, nullable=False),
    sa.Column("previous", sa.String(64), nullable=False),
    sa.Column("key", sa.String(16), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Column("mac", sa.String(64), nullable=False),
    sa.Index("ix_otp_mpp_audit_subject_time", "subject", "time"),
    sa.Index("ix_otp_mpp_audit_kind_time", "kind", "time"),  # finds the last anchor
)


def attach_audit_table(target: sa.MetaData) -> None:
    """Add the table of the audit trail to a host's MetaData, as ``attach_tables`` does the store's.

    :param target: for example ``db.metadata`` of Flask-SQLAlchemy, whose migrations make it then.
    """
    schema.attach_all(metadata, target)


class AuditTable:
    """The table in the database of a SQL store, or in another one.

    :param store: whose connections are used.
    """

    def __init__(self, store: SQLAlchemyStore) -> None:
        schema.set_options(store.database.table_options, metadata)
        self.store = store
        self._insert = CompiledStatement(sa.insert(audit), store.engine.dialect)

    def for_commands(self) -> AuditTable:
        """Return the table for commands, whose statements may take long: no request waits."""
        engine, options = self.store.engine, self.store.database.options
        url = engine.url.render_as_string(hide_password=False)
        patient = replace(options, statement_timeout=STATEMENT_SECONDS)
        return AuditTable(SQLAlchemyStore(url, options=patient))

    def writes(self, entries: Sequence[Entry]) -> list[Write]:
        """Return what inserts rows in a transaction of the store."""
        return [(asdict(entry), self._insert) for entry in entries]

    def insert(self, entries: Sequence[Entry], *, durable: bool) -> None:
        """Insert rows in one transaction, in one round trip.

        :param durable: whether the rows must survive a crash of the database's machine; without
            that, SQLite and PostgreSQL do not wait for the disk.
        :raises StoreError: if they are not stored, or it is unknown whether they are.
        """

        def work(transaction: Transaction) -> None:
            for values, statement in self.writes(entries):
                transaction.write(values, statement)

        self.store.transactions.run(work, durable=durable)

    def create(self) -> str:
        """Make the table if it is missing; return what was done and where.

        :raises StoreError: if the database refuses.
        """
        return self.store.change_tables(_create)

    def check(self) -> None:
        """See that rows can be inserted and read.

        :raises UnfitStore: with what was found instead, and what to do.
        :raises StoreError: if the database does not answer.
        """
        engine, database = self.store.engine, self.store.database
        if (missing := database.missing(engine.url)) is not None:
            raise UnfitStore(f"{check.place(engine.url)} {missing} run `flask otp-mpp init-db`")
        try:
            with engine.connect() as db:
                db.detach()  # it is closed, and not kept for a forked worker to share
                return _check(db)
        except SQLAlchemyError as error:
            failure = error
        raise check.fault(failure, engine.url, database)

    def last_anchor(self) -> Entry | None:
        """Return the newest first row of a chain."""
        asked = sa.select(audit).where(audit.c.kind == Kind.ANCHOR.value)
        return next(iter(self._entries(asked.order_by(audit.c.time.desc()).limit(1))), None)

    def has_chain(self, chain: str) -> bool:
        """Tell whether there is a chain of that id."""
        return bool(self._entries(sa.select(audit).where(audit.c.chain == chain).limit(1)))

    def recent(self, subject: str, limit: int) -> list[Entry]:
        """Return the newest rows of a user, the newest one first."""
        asked = sa.select(audit).where(audit.c.subject == subject)
        return self._entries(asked.order_by(audit.c.time.desc()).limit(limit))

    def by_chain(self) -> Iterator[Entry]:
        """Return all rows, chain by chain in their order."""
        for head in self.heads():
            of_chain = sa.select(audit).where(audit.c.chain == head.chain)
            last = 0
            while page := self._page(of_chain.where(audit.c.number > last), audit.c.number):
                yield from page
                last = page[-1].number

    def by_time(self, begin: datetime, end: datetime) -> Iterator[Entry]:
        """Return the rows from one moment until before another, in the order of their time."""
        time, chain, number = audit.c.time, audit.c.chain, audit.c.number
        before_end = sa.select(audit).where(time < end)
        last: tuple[datetime, str, int] = (begin, "", 0)
        while page := self._page(
            before_end.where(
                time >= last[0],  # by which the index is used
                sa.or_(
                    time > last[0],
                    chain > last[1],
                    sa.and_(chain == last[1], number > last[2]),
                ),
            ),
            *(time, chain, number),
        ):
            yield from page
            last = page[-1].time, page[-1].chain, page[-1].number

    def heads(self) -> list[Entry]:
        """Return the last row of each chain."""
        last = sa.select(audit.c.chain, sa.func.max(audit.c.number).label("number"))
        ends = last.group_by(audit.c.chain).subquery()
        asked = sa.select(audit).join(
            ends, sa.and_(audit.c.chain == ends.c.chain, audit.c.number == ends.c.number)
        )
        return self._entries(asked.order_by(audit.c.chain))

    def in_transaction(self, work: Callable[[sa.Connection], T]) -> T:
        """Do work in a transaction.

        :raises StoreError: if the database fails.
        """

        def attempt() -> T:
            with self.store.engine.begin() as db:
                return work(db)

        return self.store.transactions.retry(attempt)

    def _page(self, asked: sa.Select[Any], *order: sa.Column[Any]) -> list[Entry]:
        return self._entries(asked.order_by(*order).limit(PAGE))

    def _entries(self, asked: sa.Select[Any]) -> list[Entry]:
        found = self.in_transaction(lambda db: db.execute(asked).all())
        return [Entry(*row) for row in found]


def _create(db: sa.Connection) -> str:
    if sa.inspect(db).has_table(audit.name):
        return f"nothing to do, {audit.name} is there"
    audit.create(db)
    return f"created {audit.name}"


def _check(db: sa.Connection) -> None:
    """Look at the columns, and do what serving does, to no row; it is not committed."""
    where, inspector = check.place(db.engine.url), sa.inspect(db)
    remedy = "run `flask otp-mpp init-db`, or your own migrations"
    if not inspector.has_table(audit.name):
        raise UnfitStore(f"{where} lacks {audit.name!r}; {remedy}")
    found = {column["name"] for column in inspector.get_columns(audit.name)}
    if lacking := sorted(set(audit.columns.keys()) - found):
        raise UnfitStore(f"{where} has {audit.name} of another version, without {lacking}")
    rows = sa.select(*audit.columns).where(sa.false())
    db.execute(sa.insert(audit).from_select(list(audit.columns), rows))
