"""Each peer keeps its rows in an empty place of its own, which is gone when the run is over."""

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


def there(stores: Iterable[str]) -> list[str]:
    """Return the stores that can be measured here; say of the others what they lack."""
    found = []
    for store in stores:
        lack = _lack(store)
        if lack:
            print(f"{store} is left out: {lack}", file=sys.stderr)
        else:
            found.append(store)
    return found


@contextmanager
def place(store: str, folder: Path) -> Iterator[str]:
    """Give the URL of an empty place.

    SQLite gets a file in the folder; PostgreSQL a schema and MariaDB a database on the server that
    the environment names, or this machine's usual one; Redis a server of its own, which writes
    nothing to disk.

    :raises RuntimeError: naming what is missing.
    """
    if lack := _lack(store):
        raise RuntimeError(f"{store} can't be measured: {lack}")
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


def _lack(store: str) -> str:
    """Name what a store lacks here; empty if nothing."""
    if store == "redis":
        return "" if shutil.which("redis-server") else "redis-server is not installed"
    if store not in SQL_SERVERS:
        return ""
    url = _url(store)
    try:
        socket.create_connection((url.host or "127.0.0.1", url.port or 0), 2).close()
    except OSError:
        return f"no server answers at {SQL_SERVERS[store][0]}, or at its usual port"
    return ""


def _url(store: str) -> sa.URL:
    key, usual = SQL_SERVERS[store]
    return sa.make_url(os.environ.get(key, usual))


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
    keep_nothing = ["--save", "", "--appendonly", "no", "--dir", str(folder)]
    with log.open("wb") as sink:
        process = subprocess.Popen(  # noqa: S603 - every word of it is ours
            [program, "--bind", "127.0.0.1", "--port", str(port), *keep_nothing],
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
