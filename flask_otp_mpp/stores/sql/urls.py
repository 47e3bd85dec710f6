"""A URL names a database that can be the store's own, or is refused with what would do."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qs, unquote

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError

_DRIVERS: Final = {
    "sqlite": "pysqlite",
    "postgresql": "psycopg",
    "mysql": "pymysql",
    "mariadb": "pymysql",
}
_USE: Final = (
    "use sqlite:////path/otp.db, postgresql+psycopg://user@host/database, "
    "mysql+pymysql://user@host/database, redis://host:6379/0, or memory://"
)
NO_URL: Final = f"is not a store URL; {_USE}"
_IN_MEMORY: Final = (
    "names a SQLite database in memory, which is another one for each connection, and one that is "
    "shared is the host's; use a file (sqlite:////path/otp.db), or memory:// for trials"
)
_ENGINE: Final = "is an engine, whose connections are the host's; give the URL of its database"


def read_url(url: str) -> sa.URL:
    """Read a URL of ours; one that names no driver means the one that our extras install.

    :raises ValueError: if it names none; the message holds no password.
    """
    if isinstance(url, sa.Engine):
        raise ValueError(_IN_MEMORY if _is_shared(url) else _ENGINE)
    try:
        parsed = sa.make_url(url)
    except (ArgumentError, ValueError):  # a message of theirs may quote a part of the password
        raise ValueError(NO_URL) from None
    backend, _, driver = parsed.drivername.partition("+")
    ours = _DRIVERS.get(backend)
    # Whether the suite would pass by another driver, nobody has tried.
    if ours is None or driver not in ("", ours):
        raise ValueError(f"found {parsed.drivername}://, which {NO_URL}")
    if backend == "sqlite" and _in_memory(parsed):
        raise ValueError(_IN_MEMORY)
    return parsed.set(drivername=f"{backend}+{ours}")


def _in_memory(url: sa.URL) -> bool:
    """Tell whether a SQLite URL names no file, in any of the spellings that SQLite knows."""
    name, asked = url.database or "", set(url.query)
    if name.startswith("file:"):  # SQLite reads it as a URI of its own
        name, _, query = name.removeprefix("file:").partition("#")[0].partition("?")
        name, asked = unquote(name), asked | parse_qs(query).keys()
    return name in ("", ":memory:") or not asked.isdisjoint({"mode", "vfs"})


def _is_shared(engine: sa.Engine) -> bool:
    """Tell whether all that use an engine are on one connection, or on a database in memory."""
    return isinstance(engine.pool, sa.StaticPool) or (
        engine.dialect.name == "sqlite" and _in_memory(engine.url)
    )
