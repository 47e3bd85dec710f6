"""A store is named by its URL; a URL that names none is refused without showing its password."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from flask_otp_mpp.stores import MemoryStore, SQLAlchemyStore, from_url
from flask_otp_mpp.testing import FrozenClock
from flask_otp_mpp.testing.contract.asking import opened


def test_memory_is_a_store() -> None:
    clock = FrozenClock()
    store = from_url("memory://", clock)
    assert isinstance(store, MemoryStore)
    assert opened(store).issued_at == clock.now


@pytest.mark.parametrize("scheme", ["sqlite", "sqlite+pysqlite"])
def test_a_file_is_a_store(tmp_path: Path, scheme: str) -> None:
    clock = FrozenClock()
    store = from_url(f"{scheme}:///{tmp_path}/otp.db", clock)
    assert isinstance(store, SQLAlchemyStore)
    store.create_tables()
    assert opened(store).issued_at == clock.now
    store.engine.dispose()


def test_a_store_keeps_the_time_of_the_system_unless_told_otherwise() -> None:
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
    ],
)
def test_sqlite_in_memory_is_refused_in_all_its_spellings(url: str) -> None:
    """L5: it would be another database for each connection, so a code could be used twice."""
    with pytest.raises(ValueError, match=r"SQLite database in memory.*use a file"):
        from_url(url)


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
def test_what_names_no_store_is_refused_without_being_repeated(url: str) -> None:
    """F2, P1: the message says what would do, and holds no part of the password."""
    with pytest.raises(ValueError, match="is not a store URL; use sqlite:") as caught:
        from_url(url)
    shown = f"{caught.value!r} {caught.value.__cause__!r}"
    assert "hunter2" not in shown
    assert "u:" not in shown
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    ("url", "driver", "extra"),
    [("postgresql://", "psycopg", "postgresql"), ("mysql+pymysql://", "pymysql", "mysql")],
)
def test_a_driver_that_is_not_installed_is_named(
    monkeypatch: pytest.MonkeyPatch, url: str, driver: str, extra: str
) -> None:
    """F2: what to install, and no password beside it."""
    monkeypatch.setitem(sys.modules, driver, None)
    found = rf"driver that is not installed.*{driver}.*flask-otp-mpp\[{extra}\]"
    with pytest.raises(ValueError, match=found) as caught:
        from_url(f"{url}u:hunter2@host/otp")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "driver"),
    [
        ("postgresql://ada@host/otp", "postgresql+psycopg"),
        ("mysql://ada@host/otp", "mysql+pymysql"),
        ("mariadb://ada@host/otp", "mariadb+pymysql"),
    ],
)
def test_a_url_without_a_driver_means_the_one_of_our_extra(url: str, driver: str) -> None:
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
def test_a_database_or_driver_that_is_not_ours_is_refused_whether_installed_or_not(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """T2: whether its rows are really taken, and names compared exactly, nobody has tested."""
    with pytest.raises(ValueError, match="use sqlite:") as caught:
        from_url(url)
    monkeypatch.setattr("sqlalchemy.create_engine", lambda *_, **__: None)
    with pytest.raises(ValueError, match="is not a store URL; use sqlite:") as refused:
        from_url(url)
    assert "hunter2" not in f"{caught.value} {refused.value}"
