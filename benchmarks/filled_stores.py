"""Fill SQL stores with millions of rows, as fast as the database can.

The server itself generates the rows, many thousands per statement; indexes are dropped before and
created again afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from benchmarks.empty_stores import empty_store
from benchmarks.progress import note
from flask_otp_mpp import SQLAlchemyStore
from flask_otp_mpp.stores.sql.schema import challenges, requests, user_limits

BATCH: Final = 250_000
_SERIES: Final = {
    "sqlite": "WITH RECURSIVE series(n) AS (SELECT :first UNION ALL SELECT n + 1 FROM series "
    "WHERE n + 1 < :last)",
    "postgresql": "WITH series(n) AS (SELECT generate_series(CAST(:first AS bigint), "
    "CAST(:last AS bigint) - 1))",
}
# Ids begin with the time, as those of the package do.
_ID: Final = {
    "sqlite": "printf('%012x', :moment / 1000 + n) || lower(hex(randomblob(16)))",
    "postgresql": "lpad(to_hex(:moment / 1000 + n), 12, '0') || "
    "replace(CAST(gen_random_uuid() AS text), '-', '')",
}
_BLOB: Final = {"sqlite": "zeroblob(32)", "postgresql": "decode(repeat('00', 32), 'hex')"}
_TABLES: Final = (challenges, requests, user_limits)


def _values(kind: str) -> dict[sa.Table, dict[str, str]]:
    """Return the SQL value of each column in row n; other columns keep their default."""
    made, subject = ":moment + n * 1000", "'user-' || n"
    return {
        challenges: {
            "id": _ID[kind], "subject": subject, "caller": "'caller'", "channel": "'MOBILE'",
            "digest": _BLOB[kind], "issued_at": made, "expires_at": f"{made} + 300000000",
            "tries": "5", "attempts": "0",
        },
        requests: {
            "key": _ID[kind], "challenge_id": _ID[kind], "detail": "''", "keep_until": made,
        },
        user_limits: {
            "subject": subject, "failures": "0", "clients": "'[]'", "sends": "'[]'",
            "keep_until": f"{made} + 86400000000",
        },
    }  # fmt: skip


@contextmanager
def opened(kind: str, folder: Path) -> Iterator[tuple[SQLAlchemyStore, str]]:
    """Open an empty SQL store; yield it and its URL."""
    with empty_store(kind, folder) as url:
        store = SQLAlchemyStore(url)
        store.create_tables()
        try:
            yield store, url
        finally:
            store.engine.dispose()


def fill(url: str, rows: int, age: timedelta) -> None:
    """Add ``rows`` users, each with a challenge and a request of that age.

    :param age: of the newest; the others are a millisecond older each.
    """
    # Not by the store's engine: its statement timeout is shorter than these statements.
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    kind = engine.dialect.name
    moment = (datetime.now(UTC) - age - timedelta(milliseconds=rows)).timestamp()
    with _bulk(engine) as db:
        for table, values in _values(kind).items():
            names, query = ", ".join(values), ", ".join(values.values())
            insert = sa.text(
                f"INSERT INTO {table.name} ({names}) "  # noqa: S608 - no outside input
                f"{_SERIES[kind]} SELECT {query} FROM series"
            )
            for first in range(0, rows, BATCH):
                last = min(rows, first + BATCH)
                numbers = {"first": first, "last": last, "moment": int(moment * 1e6)}
                db.execute(insert, numbers)
                db.commit()
                note(f"filling {table.name}: {last:,} of {rows:,}")
    note()


@contextmanager
def _bulk(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Yield a connection that does not wait for the disk; analyze the tables at the end."""
    without_sync = {
        "sqlite": "PRAGMA synchronous = OFF",
        "postgresql": "SET synchronous_commit = off",
    }[engine.dialect.name]
    with engine.connect() as db:
        db.exec_driver_sql(without_sync)
        db.commit()
        for table in _TABLES:
            for index in table.indexes:
                index.drop(db)
        db.commit()
        yield db
        for table in _TABLES:
            for index in table.indexes:
                index.create(db)
        db.exec_driver_sql("ANALYZE")
        db.commit()
