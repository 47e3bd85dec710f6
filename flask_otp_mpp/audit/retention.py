"""Delete old rows of a trail so that what is left can still be verified.

A checkpoint takes the place of the rows that are deleted. It holds the number and the hash of the
last of them, which the next row names, and a MAC under the pepper: nobody else can make one.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa

from flask_otp_mpp.audit.chain import AuditKeys, Entry
from flask_otp_mpp.audit.record import Kind, to_text
from flask_otp_mpp.audit.table import AuditTable, audit
from flask_otp_mpp.core.ports import StoreError


def purge(table: AuditTable, keys: AuditKeys, before: datetime, batch: int) -> int:
    """Delete the rows of before a moment; return how many they were.

    Of each chain at least a checkpoint stays.

    :param batch: rows of a transaction.
    :raises StoreError: if the database fails, or another process purges; what was deleted stays
        deleted, and can be verified.
    """
    last = sa.func.max(audit.c.number).label("last")
    old = sa.select(audit.c.chain, last, sa.func.min(audit.c.number).label("first"))
    old = old.where(audit.c.time < before, audit.c.kind != Kind.CHECKPOINT.value)
    found = table.in_transaction(lambda db: db.execute(old.group_by(audit.c.chain)).all())
    deleted = 0
    for chain, end, begin in found:
        until = begin - 1
        while until < end:
            until = min(until + batch, end)
            deleted += _delete(table, keys, chain, until)
    return deleted


def _delete(table: AuditTable, keys: AuditKeys, chain: str, until: int) -> int:
    """Put a checkpoint in the place of the rows up to a number, in one transaction."""
    rows = sa.select(audit).where(audit.c.chain == chain, audit.c.number <= until)

    def work(db: sa.Connection) -> int:
        if not table.store.database.lock_tables(db):
            raise StoreError("another process purges the audit trail or changes its table")
        found = [Entry(*row) for row in db.execute(rows.order_by(audit.c.number))]
        if not found or found[-1].number != until:
            return 0  # another purge was here
        db.execute(sa.delete(audit).where(audit.c.chain == chain, audit.c.number <= until))
        record = to_text({"rows": sum(map(_stands_for, found))})
        last = replace(found[-1], kind=Kind.CHECKPOINT.value, subject="", record=record)
        db.execute(sa.insert(audit).values(_values(keys.seal(replace(last, previous="")))))
        return sum(one.kind != Kind.CHECKPOINT for one in found)

    return table.in_transaction(work)


def _stands_for(entry: Entry) -> int:
    return int(entry.fields["rows"]) if entry.kind == Kind.CHECKPOINT else 1


def _values(entry: Entry) -> dict[str, object]:
    return {column.name: getattr(entry, column.name) for column in audit.columns}
