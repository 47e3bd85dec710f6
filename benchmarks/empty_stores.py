"""Empty databases for a run: made for each peer, and deleted at the end."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from benchmarks.processes import STOP_SECONDS, free_port, wait_for

STORES: Final = ("sqlite", "postgresql", "redis")
SQL_SERVERS: Final = {
    "postgresql": ("OTP_MPP_TEST_POSTGRESQL_URL", "postgresql+psycopg://root@127.0.0.1:5432/test"),
    "mysql": ("OTP_MPP_TEST_MYSQL_URL", "mysql+pymysql://root@127.0.0.1:3306/test"),
}


def available(stores: Iterable[str]) -> list[str]:
    """Return the stores that can be measured here; print what the others lack."""
    found = []
    for store in stores:
        missing = _missing(store)
        if missing:
            print(f"{store} is left out: {missing}", file=sys.stderr)
        else:
            found.append(store)
    return found


@contextmanager
def empty_store(store: str, folder: Path) -> Iterator[str]:
    """Yield the URL of an empty store.

    For SQLite it is a file in the folder; for PostgreSQL a schema and for MariaDB a database, on
    the server that the environment names or else on the default port; for Redis a new server that
    writes nothing to disk.

    :raises RuntimeError: with what is missing.
    """
    if missing := _missing(store):
        raise RuntimeError(f"{store} can't be measured: {missing}")
    if store == "memory":
        yield "memory://"
    elif store == "sqlite":
        yield f"sqlite:///{folder}/store.db"
    elif store == "redis":
        with _redis(folder) as url:
            yield url
    else:
        with _on_server(store) as url:
            yield url


def _missing(store: str) -> str:
    """Return what is missing for a store; empty if nothing."""
    if store == "redis":
        return "" if shutil.which("redis-server") else "redis-server is not installed"
    if store not in SQL_SERVERS:
        return ""
    url = _url(store)
    try:
        socket.create_connection((url.host or "127.0.0.1", url.port or 0), 2).close()
    except OSError:
        return f"no server answers at {SQL_SERVERS[store][0]}, or at the default port"
    return ""


def _url(store: str) -> sa.URL:
    key, default = SQL_SERVERS[store]
    return sa.make_url(os.environ.get(key, default))


@contextmanager
def _on_server(store: str) -> Iterator[str]:
    name = f"otp_mpp_bench_{secrets.token_hex(4)}"
    url = _url(store)
    server = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    if store == "postgresql":
        make, drop = f"CREATE SCHEMA {name}", f"DROP SCHEMA {name} CASCADE"
        mine = url.update_query_dict({"options": f"-c search_path={name}"})
    else:
        make, drop = f"CREATE DATABASE {name}", f"DROP DATABASE {name}"
        mine = url.set(database=name)
    with server.connect() as db:
        db.exec_driver_sql(make)
    try:
        yield mine.render_as_string(hide_password=False)
    finally:
        with server.connect() as db:
            db.exec_driver_sql(drop)


@contextmanager
def _redis(folder: Path) -> Iterator[str]:
    port, log = free_port(), folder / "redis.log"
    program = shutil.which("redis-server") or "redis-server"
    no_persistence = ["--save", "", "--appendonly", "no", "--dir", str(folder)]
    with log.open("wb") as sink:
        process = subprocess.Popen(  # noqa: S603 - no outside input
            [program, "--bind", "127.0.0.1", "--port", str(port), *no_persistence],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
        )
    try:
        wait_for(process, port, log, b"PING\r\n")
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)
