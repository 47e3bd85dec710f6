"""Count failures, locks and sends by client; find the answers to a user's requests by an index.

What was counted before clients were told apart counts for each of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
TABLE = "otp_mpp_user_limits"
EVERY_CLIENT = ""
REQUESTS = "otp_mpp_requests"
SUBJECT_INDEX = f"ix_{REQUESTS}_subject"
OLD_INDEX, NEW_INDEX = f"ix_{TABLE}_keep_until", f"ix_{TABLE}_failures_keep_until"
BATCH = 1000


def upgrade() -> None:
    """Put what was counted into the new form; every row stays."""
    with op.batch_alter_table(TABLE) as batch:
        batch.add_column(sa.Column("clients", sa.Text))
    _rewrite(_with_clients)
    with op.batch_alter_table(TABLE) as batch:
        batch.alter_column("clients", existing_type=sa.Text(), nullable=False)
        batch.drop_column("locks")
        batch.drop_column("locked_until")
        batch.drop_column("forget_at")
    op.drop_index(OLD_INDEX, table_name=TABLE)
    op.create_index(NEW_INDEX, TABLE, ["failures", "keep_until"])
    op.create_index(SUBJECT_INDEX, REQUESTS, ["subject"])


def downgrade() -> None:
    """Put the longest lock of any client, and all sends, into the old form."""
    with op.batch_alter_table(TABLE) as batch:
        batch.add_column(sa.Column("locks", sa.SmallInteger))
        batch.add_column(sa.Column("locked_until", sa.BigInteger))
        batch.add_column(sa.Column("forget_at", sa.BigInteger))
    _rewrite(_without_clients)
    with op.batch_alter_table(TABLE) as batch:
        batch.alter_column("locks", existing_type=sa.SmallInteger(), nullable=False)
        batch.drop_column("clients")
    op.drop_index(SUBJECT_INDEX, table_name=REQUESTS)
    op.drop_index(NEW_INDEX, table_name=TABLE)
    op.create_index(OLD_INDEX, TABLE, ["keep_until"])


def _with_clients(row: Mapping[str, Any]) -> dict[str, Any]:
    counted = [EVERY_CLIENT, *(row[name] for name in ("failures", "locks", "locked_until"))]
    clients = [] if row["forget_at"] is None else [[*counted, row["forget_at"]]]
    return {
        "clients": json.dumps(clients),
        "sends": json.dumps(
            [[channel, EVERY_CLIENT, at] for channel, at in json.loads(row["sends"])]
        ),
    }


def _without_clients(row: Mapping[str, Any]) -> dict[str, Any]:
    clients = json.loads(row["clients"])
    locked = [until for *_, until, _ in clients if until is not None]
    return {
        "locks": max((locks for _, _, locks, _, _ in clients), default=0),
        "locked_until": max(locked, default=None),
        "forget_at": max((at for *_, at in clients), default=None),
        "sends": json.dumps([[channel, at] for channel, _, at in json.loads(row["sends"])]),
    }


def _rewrite(change: Callable[[Mapping[str, Any]], dict[str, Any]]) -> None:
    """Change each row, in batches by the order of the subjects."""
    db = op.get_bind()
    table = sa.Table(TABLE, sa.MetaData(), autoload_with=db)
    subject = table.c.subject
    rows = db.execute(sa.select(table).order_by(subject).limit(BATCH)).mappings().all()
    while rows:
        changed = [{"at_subject": row["subject"], **change(dict(row))} for row in rows]
        values: dict[str, Any] = {
            name: sa.bindparam(name) for name in changed[0] if name != "at_subject"
        }
        of_row = sa.update(table).where(subject == sa.bindparam("at_subject"))
        db.execute(of_row.values(values), changed)
        later = sa.select(table).where(subject > rows[-1]["subject"])
        rows = db.execute(later.order_by(subject).limit(BATCH)).mappings().all()
