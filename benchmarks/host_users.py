"""The users of the floor and of the lean host: a table in SQL, or a hash per user in Redis."""

from __future__ import annotations

from typing import Any, Final
from weakref import WeakSet

import sqlalchemy as sa

metadata: Final = sa.MetaData()
users: Final = sa.Table(
    "users",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
    sa.Column("token", sa.String(128), nullable=False, unique=True),
    sa.Column("phone", sa.String(20)),
    sa.Column("email", sa.String(80)),
    sa.Column("status", sa.SmallInteger, nullable=False),
)
FIND: Final = sa.select(users.c.id, users.c.status).where(users.c.token == sa.bindparam("token"))
ACTIVE: Final = 1


_made: WeakSet[sa.Engine] = WeakSet()


def engine(url: str) -> sa.Engine:
    """Make an engine for the users and the floor's codes; every statement is a transaction."""
    lite = url.startswith("sqlite")
    pool: dict[str, Any] = {} if lite else {"pool_size": 16, "max_overflow": 0}
    made = sa.create_engine(
        url, isolation_level="AUTOCOMMIT", skip_autocommit_rollback=True, **pool
    )
    if lite:
        sa.event.listen(made, "connect", _write_ahead)
    _made.add(made)
    return made


def close_engines() -> None:
    """Dispose of all engines of this process; an app does not do that itself."""
    for made in list(_made):
        made.dispose()


def rows(first: int, count: int) -> list[dict[str, Any]]:
    """Return rows of users with consecutive numbers."""
    return [
        {
            "id": number,
            "token": f"tok{number:08d}",
            "phone": f"+8613{number:09d}",
            "email": f"u{number}@example.com",
            "status": ACTIVE,
        }
        for number in range(first, first + count)
    ]


def _write_ahead(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")  # a commit waits for the disk, as the package's
    connection.execute("PRAGMA busy_timeout=5000")
