"""A database that can't serve as a store is found by ``check``, with what to do about it."""

from __future__ import annotations

import os
import re
import secrets
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import unquote

import pytest
import sqlalchemy as sa

from flask_otp_mpp.core.ports import StoreError, UnfitStore
from flask_otp_mpp.stores import SQLAlchemyStore
from flask_otp_mpp.stores.sql import schema
from flask_otp_mpp.testing.contract.builders import POLICY, RIGHT, answer, opened
from tests.services import MYSQL, POSTGRESQL
from tests.stores import servers
from tests.stores.servers import mysql_url, postgresql_url, run


@pytest.fixture(params=["sqlite", POSTGRESQL, MYSQL])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SQLAlchemyStore]:
    places = {"postgresql": postgresql_url, "mysql": mysql_url}
    if request.param == "sqlite":
        store = SQLAlchemyStore(f"sqlite:///{tmp_path}/otp.db")
        yield store
        store.engine.dispose()
        return
    with places[request.param]("checks") as url:
        store = SQLAlchemyStore(url)
        yield store
        store.engine.dispose()


def test_a_database_that_can_serve_is_named(store: SQLAlchemyStore) -> None:
    store.create_tables()
    assert store.check().endswith(", tables present")
    assert store.check().split()[0] in ("SQLite", "PostgreSQL", "MariaDB", "MySQL")


def test_looking_leaves_no_connection_open(store: SQLAlchemyStore) -> None:
    """L5: a forked worker would share it with the next one."""
    store.create_tables()
    store.engine.dispose()
    opened, closed = [], []
    sa.event.listen(store.engine, "connect", lambda *_: opened.append(1))
    for event in ("close", "close_detached"):
        sa.event.listen(store.engine, event, lambda *_: closed.append(1))
    store.check()
    with store.engine.begin() as db:
        db.execute(sa.text("DROP TABLE otp_mpp_requests"))
    store.engine.dispose()
    with pytest.raises(UnfitStore):
        store.check()
    assert len(opened) == len(closed) == 3


def test_missing_tables_are_named_with_the_command_that_makes_them(
    store: SQLAlchemyStore,
) -> None:
    if store.engine.dialect.name == "sqlite":
        Path(store.engine.url.database or "").touch()
    with pytest.raises(UnfitStore, match=r"lacks 'otp_mpp_challenges', .*run `flask otp-mpp init-"):
        store.check()
    store.create_tables()
    with store.engine.begin() as db:
        db.execute(sa.text("DROP TABLE otp_mpp_requests"))
    with pytest.raises(UnfitStore, match=r"lacks 'otp_mpp_requests'; run"):
        store.check()


def test_a_table_of_another_version_is_named(store: SQLAlchemyStore) -> None:
    store.create_tables()
    with store.engine.begin() as db:
        db.execute(sa.text("ALTER TABLE otp_mpp_user_limits DROP COLUMN clients"))
    with pytest.raises(UnfitStore, match=r"of another version.*'clients'; run .* upgrade-db`"):
        store.check()


def test_an_older_revision_is_named_with_the_command_that_upgrades_it(
    store: SQLAlchemyStore,
) -> None:
    """O1: init-db would make what is new beside what is old; and a newer one serves as well."""
    store.create_tables()
    note = sa.text(f"UPDATE {schema.VERSION_TABLE} SET version_num = :noted")
    for noted, fault in (("0000", True), ("9999", False)):
        with store.engine.begin() as db:
            db.execute(note, {"noted": noted})
        if fault:
            with pytest.raises(UnfitStore, match=r"revision 0000, older than .* upgrade-db`"):
                store.check()
        else:
            store.check()


def test_a_version_that_is_too_old_is_named(store: SQLAlchemyStore) -> None:
    store.create_tables()
    store.check()
    store.engine.dialect.server_version_info = (3, 1)
    with pytest.raises(UnfitStore, match=r"^\w+ 3\.1 at .* is too old; use \w+ \d+[.\d]* or newer"):
        store.check()


@pytest.mark.parametrize("store", [MYSQL], indirect=True)
def test_a_table_that_would_mix_users_up_is_named(store: SQLAlchemyStore) -> None:
    """L8: somebody made it by hand, or a tool that knew no better."""
    store.create_tables()
    with store.engine.begin() as db:
        db.execute(sa.text("ALTER TABLE otp_mpp_user_limits MODIFY subject VARCHAR(128)"))
        db.execute(sa.text("ALTER TABLE otp_mpp_requests ENGINE=MyISAM"))
    with pytest.raises(UnfitStore) as caught:
        store.check()
    assert "would treat 'Ada' and 'ada' as equal in otp_mpp_user_limits, 'subject'" in str(
        caught.value
    )
    assert "keeps otp_mpp_requests in MyISAM, without transactions" in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ada:hunter2@127.0.0.1:1/otp",
        "mysql://ada:hunter2@127.0.0.1:1/otp?init_command=SET @x='hunter2'",
        "postgresql://ada:hunter2%2F%40%20@127.0.0.1:1/otp",
    ],
)
def test_a_database_that_is_away_is_named_without_its_password(url: str) -> None:
    """P1: what was asked, what came back, and where to look."""
    store = SQLAlchemyStore(url)
    with pytest.raises(StoreError, match=r"does not answer: .*; check that it runs") as caught:
        store.check()
    shown = f"{caught.value} {caught.value.__cause__}"
    assert "hunter2" not in shown
    assert "ada:***@127.0.0.1:1/otp" in shown
    assert not isinstance(caught.value, UnfitStore)  # it may answer later


@pytest.mark.parametrize(
    ("name", "finding"),
    [
        ("otp.db", r"otp\.db does not exist; run `flask otp-mpp init-db`"),
        ("no/such/otp.db", r"is in a folder that does not exist; make it, then run"),
        ("", r"unable to open database file; check the file and its permissions"),
        ("text", r"file is not a database; check the file"),
    ],
    ids=["no file", "no folder", "a folder", "no database"],
)
def test_a_file_that_is_no_database_is_told_and_left_alone(
    tmp_path: Path, name: str, finding: str
) -> None:
    """F2: looking makes no empty database under a name that was misspelt."""
    (tmp_path / "text").write_text("no database at all" * 100)
    store = SQLAlchemyStore(f"sqlite:///{tmp_path}/{name}")
    with pytest.raises(UnfitStore, match=finding):
        store.check()
    store.engine.dispose()
    assert [file.name for file in tmp_path.iterdir()] == ["text"]


def test_a_file_at_which_another_works_is_no_fault(tmp_path: Path) -> None:
    """F2: it does not answer now."""
    url = f"sqlite:///{tmp_path}/otp.db"
    store, other = SQLAlchemyStore(url), SQLAlchemyStore(f"{url}?timeout=0.05")
    store.create_tables()
    with store.engine.begin(), pytest.raises(StoreError, match="database is locked") as caught:
        other.check()
    assert not isinstance(caught.value, UnfitStore)
    assert other.check()
    store.engine.dispose()
    other.engine.dispose()


def refused(url: str | sa.URL) -> str:
    """Return why a store at a URL can't be used, from ``check`` and from making the tables."""
    shown = url if isinstance(url, str) else url.render_as_string(hide_password=False)
    store = SQLAlchemyStore(shown)
    with pytest.raises(UnfitStore) as caught:
        store.check()
    with pytest.raises(UnfitStore) as making:
        store.create_tables()
    store.engine.dispose()
    assert "hunter2" not in f"{caught.value} {caught.value.__cause__}"
    assert str(making.value) == str(caught.value)
    return str(caught.value)


@pytest.mark.server
def test_a_role_that_postgresql_does_not_know_is_named() -> None:
    """F2: with what to do; and not as a server that does not answer."""
    url = run(servers.POSTGRESQL).set(username="ada", password="hunter2")
    assert refused(url).endswith(
        "can't be used: role 'ada' does not exist; create it, or correct the user in OTP_MPP_STORE"
    )
    assert refused(run(servers.POSTGRESQL).set(database="nosuch")).endswith(
        "can't be used: database 'nosuch' does not exist; "
        "create it, or correct its name in OTP_MPP_STORE"
    )


@pytest.fixture
def guest() -> Iterator[str]:
    """Make a user who may connect to both servers, and nothing else."""
    name = f"guest_{secrets.token_hex(4)}"
    run(servers.POSTGRESQL, f"CREATE ROLE {name} LOGIN PASSWORD 'hunter2'")
    run(servers.MYSQL, f"CREATE USER {name} IDENTIFIED BY 'hunter2'")
    yield name
    run(servers.POSTGRESQL, f"DROP OWNED BY {name}", f"DROP ROLE {name}")
    run(servers.MYSQL, f"DROP USER {name}")


@pytest.mark.server
def test_a_role_without_privileges_is_told_which_it_needs(guest: str) -> None:
    """F2: on PostgreSQL, whose catalogue shows tables to everybody."""
    with postgresql_url("grants") as url:
        make_tables(url)
        place = schema_of(url)
        guests = sa.make_url(url).set(username=guest, password="hunter2")
        run(servers.POSTGRESQL, f"GRANT USAGE ON SCHEMA {place} TO {guest}")
        check, making = (unfit(guests, verb) for verb in ("check", "create_tables"))
        assert "permission denied for table otp_mpp_challenges; grant it SELECT, INSERT" in check
        assert "permission denied for table otp_mpp_revision; grant it SELECT, INSERT" in making
        run(servers.POSTGRESQL, f"GRANT SELECT ON ALL TABLES IN SCHEMA {place} TO {guest}")
        assert "permission denied for table otp_mpp_challenges; grant it" in unfit(guests, "check")
        run(servers.POSTGRESQL, f"DROP TABLE {place}.otp_mpp_requests")
        for verb in ("create_tables", "upgrade_tables"):
            run(servers.POSTGRESQL, f"UPDATE {place}.otp_mpp_revision SET version_num = '0003'")
            found = unfit(guests, verb)
            assert re.search(
                "permission denied for schema .*; grant it USAGE .* and CREATE|"
                "must be owner of table .*; run the command as the owner",
                found,
            )
        run(servers.POSTGRESQL, f"ALTER ROLE {guest} NOLOGIN")
        found = f"role '{guest}' is not permitted to log in; ALTER ROLE {guest} LOGIN"
        assert found in refused(guests)


def unfit(url: sa.URL, verb: str) -> str:
    """Return why something can't be done at a URL."""
    store = SQLAlchemyStore(url.render_as_string(hide_password=False))
    with pytest.raises(UnfitStore) as caught:
        getattr(store, verb)()
    store.engine.dispose()
    return str(caught.value)


def make_tables(url: str) -> None:
    owner = SQLAlchemyStore(url)
    owner.create_tables()
    owner.engine.dispose()


def schema_of(url: str) -> str:
    place = re.search("search_path=([a-z0-9_]+)", unquote(url))
    assert place
    return place[1]


PAGE: Final = Path(__file__).parents[2] / "docs" / "stores" / "sql.md"


def documented_grants(role: str, place: str) -> list[str]:
    """Return the statements of the page that let a role serve, for a role and a schema."""
    [block] = re.findall(r"```sql\n(GRANT .*?)```", PAGE.read_text(), re.S)
    named = block.replace("otp_mpp_", f"{place}.otp_mpp_").replace(" TO otp;", f" TO {role};")
    return [text for text in named.split(";\n") if text]


@pytest.mark.server
@pytest.mark.parametrize("kind", ["postgresql", "mysql"])
def test_a_role_with_the_documented_grants_serves_and_one_less_is_told(
    guest: str, kind: str
) -> None:
    """F2: the page's list is enough, and each of it is needed, except to read the revision."""
    at = {"postgresql": postgresql_url, "mysql": mysql_url}[kind]
    server = {"postgresql": servers.POSTGRESQL, "mysql": servers.MYSQL}[kind]
    with at("grants") as url:
        make_tables(url)
        place = schema_of(url) if kind == "postgresql" else sa.make_url(url).database or ""
        if kind == "postgresql":
            run(server, f"GRANT USAGE ON SCHEMA {place} TO {guest}")
        *grants, to_read = documented_grants(guest, place)
        run(server, *grants)
        guests = sa.make_url(url).set(username=guest, password="hunter2")
        store = SQLAlchemyStore(guests.render_as_string(hide_password=False))
        assert store.check().endswith(", tables present")  # the columns are looked at as well
        assert answer(store, opened(store), RIGHT) is None
        assert store.purge(POLICY) == 0
        run(server, to_read)
        assert store.check().endswith(", tables present")
        run(server, f"UPDATE {place}.otp_mpp_revision SET version_num = '0000'")
        with pytest.raises(UnfitStore, match="has tables of revision 0000, older than"):
            store.check()
        run(server, f"UPDATE {place}.otp_mpp_revision SET version_num = '9999'")
        store.engine.dispose()
        for right in ("INSERT", "UPDATE", "DELETE"):
            table = f"{place}.otp_mpp_requests"
            run(server, f"REVOKE {right} ON {table} FROM {guest}")
            assert re.search("denied .*; grant it SELECT, INSERT, UPD", unfit(guests, "check"))
            run(server, f"GRANT {right} ON {table} TO {guest}")


@pytest.mark.server
def test_a_database_that_may_only_be_read_is_told_when_the_app_starts(guest: str) -> None:
    """F2: a role whose transactions only read, and a session of MariaDB that does."""
    with postgresql_url("grants") as url:
        make_tables(url)
        run(servers.POSTGRESQL, f"ALTER ROLE {guest} SET default_transaction_read_only = on")
        guests = sa.make_url(url).set(username=guest, password="hunter2")
        assert "default_transaction_read_only is on; set it off" in unfit(guests, "check")
        assert "in a read-only transaction; name the primary" in unfit(guests, "create_tables")
    with mysql_url("grants") as url:
        make_tables(url)
        reading = sa.make_url(url).update_query_dict(
            {"init_command": "SET SESSION TRANSACTION READ ONLY"}
        )
        assert "can only be read, because tx_read_only is ON" in unfit(reading, "check")


AS_NOBODY = """
import os, sys
from flask_otp_mpp import SQLAlchemyStore
from flask_otp_mpp.core.ports import UnfitStore
store = SQLAlchemyStore(sys.argv[1])
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
try:
    print(store.check())
except UnfitStore as unfit:
    print(unfit)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can leave a file to somebody else")
@pytest.mark.parametrize(("file", "folder"), [(0o644, 0o755), (0o644, 0o777), (0o666, 0o755)])
@pytest.mark.alike(3)
def test_a_file_of_root_that_others_may_only_read_is_told(file: int, folder: int) -> None:
    """F2: init-db was run by root, and the app is not: every send would fail."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        place = Path(name) / "otp.db"
        make_tables(f"sqlite:///{place}")
        place.chmod(file)
        Path(name).chmod(folder)
        done = subprocess.run(
            [sys.executable, "-c", AS_NOBODY, f"sqlite:///{place}"],
            capture_output=True,
            text=True,
            check=False,
        )
    assert re.search(
        r"otp\.db can't be used: .*; (let the app's user write|check the file)", done.stdout
    ), done


@pytest.mark.server
def test_a_user_whom_mysql_refuses_is_named(guest: str) -> None:
    """F2: with what to do; and not as a server that does not answer."""
    with mysql_url("grants") as given:
        url = sa.make_url(given)
        login = "create the user, or correct user and password in OTP_MPP_STORE"
        wrong = refused(url.set(username=guest, password="hunter22"))
        assert re.search(f"Access denied for user '{guest}'@'.*' .*; {login}$", wrong)
        unknown = refused(url.set(username="ada", password="hunter2"))
        assert re.search(f"Access denied for user 'ada'@'.*; {login}$", unknown)
        denied = refused(url.set(username=guest, password="hunter2"))
        assert re.search(f"Access denied for user '{guest}'@.* to database .*; grant it", denied)
        missing = refused(url.set(database="nosuch"))
        assert missing.endswith(
            "Unknown database 'nosuch'; create it, or correct its name in OTP_MPP_STORE"
        )


def test_a_wrong_password_is_told_as_such_by_postgresql() -> None:
    """F2: a server that trusts nobody, of which only the refusal is needed."""
    fields = b'SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed for user "ada"\0\0'
    refusal = b"E" + struct.pack("!i", len(fields) + 4) + fields

    def refuse() -> None:
        for _ in range(2):
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(refusal)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=refuse)
        thread.start()
        port = server.getsockname()[1]
        query = "sslmode=disable&gssencmode=disable"
        found = refused(f"postgresql://ada:hunter2@127.0.0.1:{port}/otp?{query}")
        thread.join(10)
    assert found.endswith(
        "can't be used: password authentication failed for user 'ada'; "
        "correct user and password in OTP_MPP_STORE"
    )
