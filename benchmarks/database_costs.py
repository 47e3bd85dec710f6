"""What work costs the database: processor time of its processes, and what it writes to its log.

Everything that the server does meanwhile is counted, so nothing else may use it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from benchmarks.processes import Server


@dataclass(slots=True)
class Spent:
    """What a database has spent on a block of work.

    :param cpu: seconds of processor time; None if it has no processes here.
    :param log: bytes of its write-ahead log; None if it has none.
    """

    cpu: float | None = None
    log: int | None = None


@contextmanager
def spent_by(url: str) -> Iterator[Spent]:
    """Yield what the database spends on the block; it is known when the block is left."""
    spent = Spent()
    if url.startswith("redis"):
        import redis  # noqa: PLC0415 - only needed to measure Redis

        client: Any = redis.Redis.from_url(url)
        with _cpu(spent, client.info("server")["process_id"]):
            yield spent
        client.close()
    elif url.startswith("postgresql"):
        engine = sa.create_engine(url, poolclass=sa.NullPool)
        with engine.connect() as db:
            backend = Path(f"/proc/{db.scalar(sa.text('SELECT pg_backend_pid()'))}/stat")
            begin = db.scalar(_WRITTEN)
            with _cpu(spent, int(backend.read_text().rpartition(")")[2].split()[1])):
                yield spent
            spent.log = int(db.scalar(_WRITTEN) - begin)
    else:
        yield spent


_WRITTEN = sa.text("SELECT pg_current_wal_lsn() - '0/0'")


@contextmanager
def _cpu(spent: Spent, pid: int) -> Iterator[None]:
    """Count the processor time of a process and its children, unless it is on another machine."""
    if not os.path.exists(f"/proc/{pid}"):
        yield
        return
    server = Server((), (pid,))
    before = server.cpu_seconds()
    yield
    spent.cpu = server.cpu_seconds() - before
