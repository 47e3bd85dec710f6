"""A store that can't serve is a fault at start-up, and the commands that prepare it still run."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
import sqlalchemy as sa

from flask_otp_mpp import (
    ConfigurationError,
    MemoryStore,
    RedisStore,
    SQLAlchemyStore,
    StoreError,
    UnfitStore,
)
from flask_otp_mpp.stores import StoreOptions
from flask_otp_mpp.stores.sql import schema
from tests.deployment.processes import ROOT
from tests.servers import free_port
from tests.stores.redis_server import URL as REDIS_URL
from tests.stores.redis_server import client as client_of
from tests.stores.redis_server import documented_rule, prefixed, private_redis
from tests.stores.servers import mysql_url, postgresql_url
from tests.wallet import Wallet, make_tables, open_wallet, settings

MakeWallet = Callable[..., Wallet]
KEY = "OTP_MPP_STORE"


@pytest.fixture
def unprepared(tmp_path: Path) -> str:
    """Return the URL of a missing SQLite file, in a form that open_wallet does not prepare."""
    return f"sqlite+pysqlite:///{tmp_path / 'otp.db'}"


def finding(**how: Any) -> str:
    """Try to start; return the finding about the store, which must be the only one."""
    with pytest.raises(ConfigurationError) as caught:
        open_wallet(**how)
    ((key, found),) = caught.value.faults
    assert key == KEY
    return found


def test_a_file_that_is_missing_is_a_fault_and_is_not_made(unprepared: str, tmp_path: Path) -> None:
    """F2: with the command that makes it."""
    assert "otp.db does not exist; run `flask otp-mpp init-db`" in finding(store=unprepared)
    assert list(tmp_path.iterdir()) == []


def test_a_fault_of_the_store_is_reported_with_all_others(unprepared: str) -> None:
    """F2: also if the store's options are at fault."""
    with pytest.raises(ConfigurationError) as caught:
        open_wallet(store=unprepared, OTP_MPP_PEPPER="short", OTP_MPP_STORE_POOL_SIZE=0)
    assert {key for key, _ in caught.value.faults} == {
        KEY,
        "OTP_MPP_PEPPER",
        "OTP_MPP_STORE_POOL_SIZE",
    }


@contextmanager
def with_password(place: Any) -> Iterator[str]:
    """Return a URL with a password, which a server with trust authentication ignores."""
    with place as url:
        yield sa.make_url(url).set(password="hunter2").render_as_string(hide_password=False)


@pytest.mark.server
def test_a_postgresql_that_is_not_migrated_is_a_fault() -> None:
    """F2, P1: server, place and command, and no password."""
    with with_password(postgresql_url("start")) as url:
        found = finding(store=url)
        assert found.startswith("PostgreSQL ")
        assert ":***@" in found
        assert "hunter2" not in found
        assert "lacks 'otp_mpp_challenges'" in found
        assert "run `flask otp-mpp init-db`" in found
        make_tables(url)
        wallet = open_wallet(store=url)
        assert wallet.send().code == "SUCCESS"
        wallet.close()


@pytest.mark.server
def test_a_mariadb_that_is_not_migrated_is_a_fault() -> None:
    """F2: and one of an older release is to be upgraded."""
    with mysql_url("start") as url:
        assert "run `flask otp-mpp init-db`" in finding(store=url)
        make_tables(url)
        store = SQLAlchemyStore(url)
        with store.engine.begin() as db:
            db.execute(sa.text(f"UPDATE {schema.VERSION_TABLE} SET version_num = '0000'"))
        store.engine.dispose()
        assert "run `flask otp-mpp upgrade-db`" in finding(store=url)


def test_a_version_that_is_not_supported_is_a_fault(
    unprepared: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F2: with the version that is needed."""
    make_tables(unprepared)
    monkeypatch.setattr("sqlite3.dbapi2.sqlite_version_info", (3, 30, 1))
    assert "is too old; use SQLite 3.35 or newer" in finding(store=unprepared)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ada:hunter2@127.0.0.1:{port}/otp",
        "mysql://ada:hunter2@127.0.0.1:{port}/otp",
        "redis://ada:hunter2@127.0.0.1:{port}/0",
    ],
)
def test_a_server_that_does_not_answer_causes_a_warning(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """O1: a host may start while its database is restarted; until then every request fails."""
    wallet = open_wallet(store=url.format(port=free_port()))
    (record,) = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert "does not answer" in record.message
    assert KEY in record.message
    assert "hunter2" not in caplog.text
    assert wallet.send().code == "UNKNOWN_EXCEPTION"
    wallet.close()


def test_the_check_can_be_set_to_warn(unprepared: str, caplog: pytest.LogCaptureFixture) -> None:
    """O1: for a script that loads the app in order to migrate."""
    wallet = open_wallet(store=unprepared, OTP_MPP_STORE_CHECK="warn")
    assert "flask otp-mpp init-db" in caplog.text
    wallet.close()


@pytest.fixture
def evicting(tmp_path: Path) -> Iterator[str]:
    options = ("--maxmemory", "100mb", "--maxmemory-policy", "volatile-lru")
    with private_redis(tmp_path, *options) as server:
        yield server.url


@pytest.mark.server
def test_a_redis_that_may_drop_keys_is_a_fault(evicting: str) -> None:
    """O3: an evicted count would allow another guess."""
    found = finding(store=evicting)
    assert "maxmemory-policy volatile-lru" in found
    assert "set maxmemory-policy to noeviction" in found
    assert "OTP_MPP_STORE_EVICTION" in found
    assert finding(options={"store": RedisStore(evicting)}) == found


@pytest.mark.server
def test_a_redis_that_may_drop_keys_can_be_accepted(
    evicting: str, caplog: pytest.LogCaptureFixture
) -> None:
    """O3: by the setting, or by whoever makes the store; it stays a warning."""
    wallet = open_wallet(store=evicting, OTP_MPP_STORE_EVICTION="warn")
    assert "volatile-lru" in caplog.text
    assert wallet.send().code == "SUCCESS"
    caplog.clear()
    open_wallet(options={"store": RedisStore(evicting, options=StoreOptions(allow_eviction=True))})
    assert "volatile-lru" in caplog.text


@pytest.fixture
def replica(tmp_path: Path) -> Iterator[str]:
    with private_redis(tmp_path, "--replicaof", "127.0.0.1", str(free_port())) as server:
        yield server.url


@pytest.mark.server
def test_a_redis_replica_is_a_fault_unless_the_check_is_to_warn(
    replica: str, caplog: pytest.LogCaptureFixture
) -> None:
    """O3: it would start, and every send would fail."""
    assert "is a replica of 127.0.0.1" in finding(store=replica)
    wallet = open_wallet(store=replica, OTP_MPP_STORE_CHECK="warn")
    assert "name the primary" in caplog.text
    assert wallet.send().code == "UNKNOWN_EXCEPTION"
    wallet.close()


@pytest.mark.server
def test_a_redis_user_with_the_documented_rights_starts_and_serves(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """O3, O4: without a warning; a wrong password is a fault."""
    with private_redis(tmp_path) as server, client_of(server.url) as aside:
        rule = ("ACL", "SETUSER", "otp", *documented_rule())
        aside.execute_command(*rule)  # type: ignore[no-untyped-call]
        wallet = open_wallet(store=server.url.replace("//", "//otp:secret@"))
        sent = wallet.send()
        assert sent.code == "SUCCESS"
        assert (
            wallet.caller.verify("tok-ada", sent.verify_request_id, wallet.inbox.code).code
            == "SUCCESS"
        )
        assert caplog.records == []
        wallet.close()
        refused = finding(store=server.url.replace("//", "//otp:hunter2@"))
        assert refused.endswith("refuses the user or the password; correct OTP_MPP_STORE")
        assert "hunter2" not in refused


class CheckedStore(MemoryStore):
    """Count the checks, and raise what it is told to."""

    def __init__(self, found: StoreError | None) -> None:
        super().__init__()
        self.found, self.looks = found, 0

    def check(self) -> None:
        self.looks += 1
        if self.found is not None:
            raise self.found


def test_a_store_passed_to_the_extension_is_checked_if_it_has_a_check() -> None:
    """F2: by the same method; a store without it is not checked."""
    fit = CheckedStore(None)
    open_wallet(options={"store": fit}, OTP_MPP_STORE=None)
    assert fit.looks == 1
    assert finding(options={"store": CheckedStore(UnfitStore("lacks a table"))}) == "lacks a table"
    away = CheckedStore(StoreError("does not answer"))
    open_wallet(options={"store": away})
    assert away.looks == 1
    open_wallet(options={"store": MemoryStore()})


@pytest.mark.server
def test_the_check_of_redis_leaves_no_connection_open() -> None:
    """L5: a server forks its workers after that; the name identifies our connections."""
    name = f"looked-at-{os.getpid()}"
    with prefixed(), client_of() as other:

        def named() -> int:
            listed: Any = other.client_list()
            return sum(one["name"] == name for one in listed)

        wallet = open_wallet(store=f"{REDIS_URL}?client_name={name}")
        assert named() == 0
        store = wallet.state.store
        assert isinstance(store, RedisStore)
        store.client.ping()
        assert named() == 1  # so it would have been seen
        store.close()


@pytest.mark.server
@pytest.mark.parametrize(
    ("place", "question", "answer"),
    [
        (postgresql_url, "SHOW statement_timeout", "1s"),
        (mysql_url, "SELECT @@innodb_lock_wait_timeout", 1),
    ],
)
def test_time_outs_reach_the_server(
    place: Callable[[str], AbstractContextManager[str]], question: str, answer: object
) -> None:
    """O1: read back from the server."""
    with place("terms") as url:
        make_tables(url)
        wallet = open_wallet(store=url, OTP_MPP_STORE_STATEMENT_TIMEOUT=1)
        store = wallet.state.store
        assert isinstance(store, SQLAlchemyStore)
        with store.engine.connect() as db:
            assert db.scalar(sa.text(question)) == answer
            db.rollback()
        wallet.close()


@pytest.mark.server
def test_the_size_of_the_pool_reaches_redis() -> None:
    """O1: a verb that finds no free connection fails after a second."""
    with prefixed():
        one: dict[str, Any] = {"OTP_MPP_STORE_POOL_SIZE": 1}
        store = open_wallet(store=REDIS_URL, **one).state.store
        assert isinstance(store, RedisStore)
        assert isinstance(store.client, redis.Redis)
        taken = store.client.connection_pool.get_connection()
        with pytest.raises(StoreError, match="ConnectionError"):
            store.unlock("nobody")
        store.client.connection_pool.release(taken)
        assert not store.unlock("nobody")
        store.close()


@contextmanager
def aside(url: str) -> Iterator[sa.Connection]:
    """Open another connection to a server."""
    engine = sa.create_engine(url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as db:
        yield db


@pytest.mark.server
def test_the_check_of_a_database_leaves_no_connection_open() -> None:
    """L5: counted by the server."""
    name = f"looked-at-{os.getpid()}"
    with postgresql_url("forking") as url:
        make_tables(url)
        ours = sa.make_url(url).update_query_dict({"application_name": name})
        wallet = open_wallet(store=ours.render_as_string(hide_password=False))
        count = sa.text("SELECT count(*) FROM pg_stat_activity WHERE application_name = :name")
        with aside(url) as db:
            assert db.scalar(count, {"name": name}) == 0
            assert wallet.send().code == "SUCCESS"
            assert db.scalar(count, {"name": name}) == 1  # so it would have been seen
        wallet.close()


@pytest.mark.server
def test_pre_ping_finds_a_lost_connection_before_the_verb_does(make_wallet: MakeWallet) -> None:
    """O1: without it the verb finds it, and the request still succeeds."""
    with postgresql_url("ping") as url:
        make_tables(url)
        for ping in (True, False):
            wallet = make_wallet(store=url, OTP_MPP_STORE_PRE_PING=ping)
            store = wallet.state.store
            assert isinstance(store, SQLAlchemyStore)
            assert wallet.send().code == "SUCCESS"
            met: list[bool] = []
            sa.event.listen(store.engine, "handle_error", lambda c, m=met: m.append(c.is_pre_ping))
            with store.engine.connect() as db:
                pid = db.scalar(sa.text("SELECT pg_backend_pid()"))
                db.rollback()
            with aside(url) as db:
                assert db.scalar(sa.text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})
            assert wallet.send("tok-bob" if ping else "tok-eve").code == "SUCCESS"
            assert met.count(True) == ping
            wallet.close()


class Serving:
    """A wallet in a file of settings, for a ``flask`` of its own process."""

    def __init__(self, folder: Path, store: str) -> None:
        self.config = folder / "app.json"
        (folder / "outbox").touch()
        self.config.write_text(json.dumps({**settings(store), "OUTBOX": str(folder / "outbox")}))

    def flask(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "flask", "--app", "tests.deployment.wallet_app", *arguments],
            cwd=ROOT,
            env={**os.environ, "OTP_MPP_TEST_APP": str(self.config)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.mark.slow
def test_flask_prepares_what_flask_run_refuses(
    unprepared: str, tmp_path: Path, make_wallet: MakeWallet
) -> None:
    """F2: each command runs without tables, except the one that serves."""
    wallet = Serving(tmp_path, unprepared)
    refused = wallet.flask("run", "--port", str(free_port()))
    assert refused.returncode == 1
    assert "'OTP_MPP_STORE': sqlite+pysqlite:///" in refused.stderr
    assert "does not exist; run `flask otp-mpp init-db`" in refused.stderr
    for arguments in (["--help"], ["otp-mpp", "--help"], ["routes"], ["otp-mpp", "settings"]):
        shown = wallet.flask(*arguments)
        assert (shown.returncode, shown.stderr) == (0, ""), arguments
    assert not (tmp_path / "otp.db").exists()
    purged = wallet.flask("otp-mpp", "purge")
    assert purged.returncode == 1
    assert "flask otp-mpp init-db" in purged.stderr
    for command in ("init-db", "upgrade-db"):
        made = wallet.flask("otp-mpp", command)
        assert (made.returncode, made.stderr) == (0, ""), command
    served = make_wallet(store=unprepared)
    assert served.send().code == "SUCCESS"
