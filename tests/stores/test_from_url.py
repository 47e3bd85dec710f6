"""The store of a URL, and URLs that are refused without showing a password."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis
import sqlalchemy as sa

import flask_otp_mpp
from flask_otp_mpp import RedisStore
from flask_otp_mpp.stores import MemoryStore, SQLAlchemyStore, StoreOptions, from_url
from flask_otp_mpp.testing import FrozenClock
from flask_otp_mpp.testing.contract.builders import opened


def test_memory_url_opens_a_store() -> None:
    clock = FrozenClock()
    store = from_url("memory://", clock)
    assert isinstance(store, MemoryStore)
    assert opened(store).issued_at == clock.now


@pytest.mark.parametrize("scheme", ["sqlite", "sqlite+pysqlite"])
def test_a_sqlite_file_opens_a_store(tmp_path: Path, scheme: str) -> None:
    clock = FrozenClock()
    store = from_url(f"{scheme}:///{tmp_path}/otp.db", clock)
    assert isinstance(store, SQLAlchemyStore)
    store.create_tables()
    assert opened(store).issued_at == clock.now
    store.engine.dispose()


def test_a_store_uses_the_system_clock_by_default() -> None:
    issued = opened(from_url("memory://")).issued_at
    assert opened(MemoryStore(), "bob").issued_at >= issued
    assert issued.utcoffset() is not None


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite+pysqlite://",
        "sqlite+pysqlite:///:memory:",
        "sqlite:///file::memory:?uri=true",
        "sqlite:///file::memory:?cache=shared&uri=true",
        "sqlite:///file:otp?mode=memory&cache=shared&uri=true",
        "sqlite:///file:otp?vfs=memdb&uri=true",
        "sqlite:///file:?uri=true",
        *(
            sa.URL.create("sqlite", database=name, query={"uri": "true"}).render_as_string()
            for name in ("file:%3Amemory%3A", "file:otp?mode=memory", "file:otp?vfs=memdb")
        ),
        "sqlite:///file::memory:#otp?uri=true",
    ],
)
def test_sqlite_in_memory_is_refused_in_all_its_spellings(url: str) -> None:
    """L5: each connection would have another database, so a code could be used twice."""
    with pytest.raises(ValueError, match=r"SQLite database in memory.*use a file"):
        from_url(url)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "sqlite:///{folder}/otp.db"])
def test_an_engine_on_the_hosts_one_connection_is_refused(tmp_path: Path, url: str) -> None:
    """L5, T1: the store's BEGIN and COMMIT would be those of the host's work."""
    engine = sa.create_engine(url.format(folder=tmp_path), poolclass=sa.StaticPool)
    with pytest.raises(
        ValueError, match=r"is an engine.*the host's; give the URL .* for SQLite must be a file"
    ):
        SQLAlchemyStore(engine)  # type: ignore[arg-type]
    engine.dispose()


def test_an_engine_of_the_host_is_refused(tmp_path: Path) -> None:
    """T1: the host decides what it does at BEGIN, and how long it waits."""
    engine = sa.create_engine(f"sqlite:///{tmp_path}/host.db")
    with pytest.raises(ValueError, match=r"is an engine.*; give the URL of its database"):
        SQLAlchemyStore(engine)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "otp.db",
        "/var/lib/otp.db",
        "memory:",
        "MEMORY://",
        "memory:// ",
        "nosuch://u:hunter2@host/otp",
        "sqlite+nosuch:///otp.db",
        "u:hunter2@host/otp",
        "postgresql://u:hunter2@host:port/otp",
        "postgresql://u:very@secret:hunter2@host/otp",  # the @ should have been %40
        "postgresql://u:hunter2@[::1/otp",
        "sqlite:///otp.db?timeout=hunter2",
        "mysql+pymysql://u:hunter2@host/otp?read_timeout=soon",
    ],
)
def test_another_url_is_refused_and_not_quoted(url: str) -> None:
    """F2, P1: the message says what to use, and holds no part of the password."""
    with pytest.raises(ValueError, match=r"is not a store URL; use sqlite:.*, redis:") as caught:
        from_url(url)
    shown = f"{caught.value!r} {caught.value.__cause__!r}"
    assert "hunter2" not in shown
    assert "u:" not in shown
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    ("url", "driver", "extra"),
    [("postgresql://", "psycopg", "postgresql"), ("mysql+pymysql://", "pymysql", "mysql")],
)
def test_a_missing_driver_is_named(
    monkeypatch: pytest.MonkeyPatch, url: str, driver: str, extra: str
) -> None:
    """F2: with what to install, and without the password."""
    monkeypatch.setitem(sys.modules, driver, None)
    found = rf"driver that is not installed.*{driver}.*pip install 'flask-otp-mpp\[{extra}\]'"
    with pytest.raises(ValueError, match=found) as caught:
        from_url(f"{url}u:hunter2@host/otp")
    assert "hunter2" not in str(caught.value)


def test_an_unknown_scheme_is_quoted() -> None:
    """F2: the scheme alone, without user and host."""
    with pytest.raises(ValueError, match=r"^found oracle://, which is not a store URL; use"):
        from_url("oracle://u:hunter2@host/otp")


def test_a_missing_redis_py_is_reported_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """F2: by the URL and by the class."""
    monkeypatch.setitem(sys.modules, "redis", None)
    for module in ("store", "client"):
        monkeypatch.delitem(sys.modules, f"flask_otp_mpp.stores.redis.{module}", raising=False)
    with pytest.raises(ValueError, match=r"pip install 'flask-otp-mpp\[redis\]'"):
        from_url("redis://u:hunter2@host/0")
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'flask-otp-mpp\[redis\]'"):
        _ = flask_otp_mpp.RedisStore


@pytest.mark.slow
def test_redis_py_is_imported_only_for_the_redis_store() -> None:
    """F2: neither the package nor another store needs redis-py."""
    script = """
import sys
import flask_otp_mpp
from flask_otp_mpp.stores import from_url
from_url("memory://"), from_url("sqlite:///otp.db")
print("redis" in sys.modules)
from flask_otp_mpp import RedisStore
print("redis" in sys.modules, RedisStore.__module__, hasattr(flask_otp_mpp, "NoStore"))
"""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, check=True, text=True, timeout=60)
    assert done.stdout.split() == ["False", "True", "flask_otp_mpp.stores.redis.store", "False"]


OPTIONS = StoreOptions(pool_size=3, connect_timeout=5, statement_timeout=6, pre_ping=True)


@pytest.mark.parametrize(
    "url", ["sqlite:////tmp/otp.db", "postgresql://ada@host/otp", "mysql://ada@host/otp"]
)
def test_a_sql_store_applies_its_options(url: str) -> None:
    """O1: pool size and pre-ping."""
    store = from_url(url, options=OPTIONS)
    assert isinstance(store, SQLAlchemyStore)
    pool = store.engine.pool
    assert isinstance(pool, sa.QueuePool)
    assert (pool.size(), pool._max_overflow) == (3, 0)
    assert pool._pre_ping is not url.startswith("sqlite")


@pytest.fixture
def driver_options(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], dict[str, Any]]:
    """Return a function that returns what a driver gets when a connection is opened."""

    def ask(url: str) -> dict[str, Any]:
        heard: dict[str, Any] = {}

        def hear(*_: object, **options: Any) -> None:
            heard.update(options)
            raise sa.exc.TimeoutError("heard enough")

        store = SQLAlchemyStore(url, options=OPTIONS)
        if url.startswith("postgresql"):
            monkeypatch.setattr(
                "flask_otp_mpp.stores.sql.postgresql_connections.TimeoutConnection.connect", hear
            )
        elif url.startswith("mysql"):
            monkeypatch.setattr("pymysql.connections.Connection.__init__", hear)
        else:
            monkeypatch.setattr("flask_otp_mpp.stores.sql.sqlite.sqlite3.connect", hear)
        with pytest.raises(sa.exc.TimeoutError):
            store.engine.connect()
        return heard

    return ask


def test_a_driver_gets_the_options_and_the_query_overrides_them(
    driver_options: Callable[[str], dict[str, Any]],
) -> None:
    """O1: every timeout of either of them."""
    postgresql = driver_options("postgresql://ada@host/otp")
    assert postgresql["connect_timeout"] == 5
    assert postgresql["tcp_user_timeout"] == 7000
    assert "-c statement_timeout=6s -c lock_timeout=6s" in postgresql["options"]
    mysql = driver_options("mysql://ada@host/otp")
    assert (mysql["connect_timeout"], mysql["read_timeout"], mysql["write_timeout"]) == (5, 7, 7)
    assert "innodb_lock_wait_timeout = 6," in mysql["init_command"]
    assert driver_options("sqlite:////tmp/otp.db")["timeout"] == 7
    assert driver_options("sqlite:////tmp/otp.db?timeout=0.5")["timeout"] == 0.5
    assert driver_options("postgresql://ada@host/otp?connect_timeout=9")["connect_timeout"] == "9"
    assert driver_options("mysql://ada@host/otp?read_timeout=8")["read_timeout"] == 8


def test_a_redis_store_applies_its_options() -> None:
    """O3: and the query of its URL overrides them."""
    made = from_url("redis://host/0", options=OPTIONS)
    asked = from_url("redis://host/0?max_connections=2&socket_timeout=1", options=OPTIONS)
    for store, connections, answer in ((made, 3, 6), (asked, 2, 1)):
        assert isinstance(store, RedisStore)
        assert isinstance(store.client, redis.Redis)
        pool = store.client.connection_pool
        assert isinstance(pool, redis.BlockingConnectionPool)
        assert (pool.max_connections, pool.timeout) == (connections, 2)
        assert pool.connection_kwargs["socket_connect_timeout"] == 5
        assert pool.connection_kwargs["socket_timeout"] == answer


@pytest.mark.slow
def test_a_driver_without_its_library_is_reported(tmp_path: Path) -> None:
    """F2: psycopg without libpq is installed, but can't be imported."""
    (tmp_path / "psycopg.py").write_text("raise ImportError('no pq wrapper available.\\nsee ...')")
    script = (
        "from flask_otp_mpp.stores import from_url; from_url('postgresql://u:hunter2@host/otp')"
    )
    tried = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{Path.cwd()}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert tried.stderr.splitlines()[-1] == (
        "ValueError: needs a database driver that does not load: no pq wrapper available.; "
        "install libpq, or pip install 'psycopg[binary]'"
    )


@pytest.mark.parametrize(
    ("url", "driver"),
    [
        ("postgresql://ada@host/otp", "postgresql+psycopg"),
        ("mysql://ada@host/otp", "mysql+pymysql"),
        ("mariadb://ada@host/otp", "mariadb+pymysql"),
    ],
)
def test_a_url_without_a_driver_uses_the_driver_of_the_extra(url: str, driver: str) -> None:
    store = from_url(url)
    assert isinstance(store, SQLAlchemyStore)
    assert store.engine.url.drivername == driver


@pytest.mark.parametrize(
    "url",
    [
        "mysql+mysqldb://u:hunter2@host/otp",
        "mysql+mariadbconnector://u:hunter2@host/otp",
        "postgresql+pg8000://u:hunter2@host/otp",
        "oracle://u:hunter2@host/otp",
    ],
)
def test_an_unsupported_database_or_driver_is_refused_installed_or_not(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """T2: it is not tested whether it locks rows, and compares names exactly."""
    with pytest.raises(ValueError, match="use sqlite:") as caught:
        from_url(url)
    monkeypatch.setattr("sqlalchemy.create_engine", lambda *_, **__: None)
    with pytest.raises(ValueError, match="is not a store URL; use sqlite:") as refused:
        from_url(url)
    assert "hunter2" not in f"{caught.value} {refused.value}"
