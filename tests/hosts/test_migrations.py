"""Flask-Migrate writes the host's migrations: with our tables attached, and with them left alone.

Each test goes the whole way of a host: init, migrate, upgrade, check, downgrade.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Final

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from flask import Flask
from flask.cli import FlaskGroup
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy

from flask_otp_mpp import SQLAlchemyStore, attach_audit_table
from flask_otp_mpp.stores import attach_tables, include_object
from flask_otp_mpp.testing.contract.builders import RIGHT, answer, opened
from tests.audit.trails import findings, send, trail_on
from tests.services import MYSQL, POSTGRESQL
from tests.stores.servers import mysql_url, postgresql_url

pytestmark = [
    pytest.mark.slow,
    # Flask-Migrate's env.py asks Flask-SQLAlchemy in the old way.
    pytest.mark.filterwarnings("ignore:'get_engine' is deprecated:DeprecationWarning"),
]
PLACES: Final[dict[str, Callable[[Path], AbstractContextManager[str]]]] = {
    "sqlite": lambda folder: nullcontext(f"sqlite:///{folder}/host.db"),
    "postgresql": lambda _: postgresql_url("migrate"),
    "mysql": lambda _: mysql_url("migrate"),
}
AddTables = Callable[[sa.MetaData], object]
OURS: Final = {"otp_mpp_challenges", "otp_mpp_requests", "otp_mpp_user_limits"}
REVISION: Final = "otp_mpp_revision"


class Host:
    """A host with Flask-SQLAlchemy and Flask-Migrate, and a table of its own.

    :ivar tables_of: what adds further tables to its MetaData.
    """

    def __init__(self, url: str, folder: Path, *tables_of: AddTables, **options: Any) -> None:
        self.url = url
        self.folder = folder / "migrations"
        self.tables_of = tables_of
        self.options = options
        self.store = SQLAlchemyStore(url)

    def flask_db(self, *arguments: str) -> None:
        """Run ``flask db`` with an app of its own, as each run has; it must succeed."""
        app = Flask("tests.hosts.migrations")
        app.config["SQLALCHEMY_DATABASE_URI"] = self.url
        metadata = sa.MetaData()
        sa.Table("note", metadata, sa.Column("id", sa.Integer, primary_key=True))
        for add_tables in self.tables_of:
            add_tables(metadata)
        db = SQLAlchemy(app, metadata=metadata)
        Migrate(app, db, directory=str(self.folder), **self.options)
        group = FlaskGroup(create_app=lambda: app)
        done = CliRunner().invoke(group, ["db", *arguments], catch_exceptions=False)
        with app.app_context():
            db.engine.dispose()
        assert done.exit_code == 0, done.output

    def migration(self) -> str:
        """Write the next migration, and return its text."""
        versions = self.folder / "versions"
        before = set(versions.glob("*.py"))
        self.flask_db("migrate")
        [written] = set(versions.glob("*.py")) - before
        return written.read_text()

    def tables(self) -> set[str]:
        return set(sa.inspect(self.store.engine).get_table_names()) - {"alembic_version"}


@pytest.fixture(autouse=True)
def _logging() -> Iterator[None]:
    """Give logging back as it was: Flask-Migrate's ``env.py`` configures it for the process."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    loggers = [logging.getLogger(name) for name in list(logging.root.manager.loggerDict)]
    disabled = [logger.disabled for logger in loggers]
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for logger, was in zip(loggers, disabled, strict=True):
        logger.disabled = was


@pytest.fixture(params=["sqlite", POSTGRESQL, MYSQL])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with PLACES[request.param](tmp_path) as url:
        yield url


@contextmanager
def host_of(url: str, folder: Path, *tables_of: AddTables, **options: Any) -> Iterator[Host]:
    host = Host(url, folder, *tables_of, **options)
    try:
        host.flask_db("init")
        yield host
    finally:
        host.store.engine.dispose()


def add_late_table(metadata: sa.MetaData) -> None:
    sa.Table("late", metadata, sa.Column("id", sa.Integer, primary_key=True))


def exact_columns(host: Host) -> set[str]:
    """Return how a database keeps a user's name, in each of our tables."""
    db = host.store.engine
    if db.dialect.name == "postgresql":
        asked = "SELECT collation_name FROM information_schema.columns WHERE table_schema = "
        asked += "current_schema() AND column_name = 'subject'"
    elif db.dialect.name == "mysql":
        asked = "SELECT CONCAT(c.column_type, ' ', t.engine) FROM information_schema.columns c "
        asked += "JOIN information_schema.tables t USING (table_schema, table_name) "
        asked += "WHERE table_schema = DATABASE() AND column_name = 'subject'"
    else:
        return {"exact by nature"}
    with db.connect() as connection:
        return set(connection.scalars(sa.text(asked)))


EXACT: Final = {
    "sqlite": {"exact by nature"},
    "postgresql": {"C"},
    "mysql": {"varbinary(512) InnoDB"},
}


def test_a_host_that_attaches_our_tables_migrates_them_with_its_own(
    url: str, tmp_path: Path
) -> None:
    """T6: a migration names no type of ours, makes tables that serve, and can be taken back."""
    with host_of(url, tmp_path, attach_tables, compare_server_default=True) as host:
        written = host.migration()
        assert "flask_otp_mpp" not in written
        assert all(f"op.create_table('{name}'" in written for name in OURS)
        host.flask_db("upgrade")
        assert host.tables() == {"note", *OURS}
        assert exact_columns(host) == EXACT[host.store.engine.dialect.name]
        host.store.check()
        assert answer(host.store, opened(host.store), RIGHT) is None
        host.flask_db("check")
        host.flask_db("downgrade", "base")
        assert host.tables() == set()


def test_a_host_that_attaches_the_table_of_the_audit_trail_migrates_it_too(
    url: str, tmp_path: Path
) -> None:
    """T6, O11: a trail can be written to it, and a second migration would find nothing to do."""
    with host_of(url, tmp_path, attach_audit_table, compare_server_default=True) as host:
        written = host.migration()
        assert "flask_otp_mpp" not in written
        assert "op.create_table('otp_mpp_audit'" in written
        host.flask_db("upgrade")
        assert host.tables() == {"note", "otp_mpp_audit"}
        assert exact_columns(host) == EXACT[host.store.engine.dialect.name]
        trail = trail_on(url)
        trail.table.check()
        trail.record(send())
        assert findings(trail) == []
        trail.table.store.engine.dispose()
        host.flask_db("check")
        host.flask_db("downgrade", "base")
        assert host.tables() == set()


def test_a_migration_is_the_same_whatever_database_it_was_written_on(tmp_path: Path) -> None:
    """T6: developers write it on SQLite, and it is as exact on the servers of production."""
    with host_of(f"sqlite:///{tmp_path}/host.db", tmp_path, attach_tables) as host:
        written = host.migration()
    assert "sa.VARBINARY(length=512), 'mysql'" in written
    assert "sa.String(length=128, collation='C'), 'postgresql'" in written
    assert written.count("mysql_engine='InnoDB'") == len(OURS)


def test_a_host_that_does_not_attach_our_tables_never_drops_them(url: str, tmp_path: Path) -> None:
    """T6: `init-db` made them in the host's own database; a migration touches nothing of them."""
    with host_of(url, tmp_path, include_object=include_object) as host:
        host.flask_db("migrate")
        host.flask_db("upgrade")
        host.store.create_tables()
        challenge = opened(host.store)
        host.flask_db("check")
        host.tables_of = (add_late_table,)
        written = host.migration()
        assert "op.create_table('late'" in written
        assert "otp_mpp" not in written
        host.flask_db("upgrade")
        host.flask_db("downgrade", "base")
        assert host.tables() == {REVISION, *OURS}
        assert answer(host.store, challenge, RIGHT) is None


def test_a_host_that_attaches_tables_which_init_db_made_keeps_them(
    url: str, tmp_path: Path
) -> None:
    """T6: nor is the noted revision in the way."""
    with host_of(url, tmp_path, attach_tables, include_object=include_object) as host:
        host.store.create_tables()
        written = host.migration()
        assert "op.create_table('note'" in written
        assert "otp_mpp" not in written


def test_a_table_of_the_host_is_still_dropped(tmp_path: Path) -> None:
    """T6: only names of ours are left alone."""
    (tmp_path / "host.db").touch()  # no store makes it
    with host_of(f"sqlite:///{tmp_path}/host.db", tmp_path, include_object=include_object) as host:
        with host.store.engine.begin() as db:
            db.exec_driver_sql("CREATE TABLE old (id INTEGER PRIMARY KEY)")
        assert "op.drop_table('old')" in host.migration()
