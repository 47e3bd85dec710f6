"""The tables are the same however they came to be, and an upgrade keeps every row."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from unittest.mock import ANY

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext

from flask_otp_mpp import SQLAlchemyStore
from flask_otp_mpp.core.challenge import Challenge
from flask_otp_mpp.core.idempotency import StoredAnswer
from flask_otp_mpp.core.ports import UnfitStore
from flask_otp_mpp.core.reasons import Outcome, Reason
from flask_otp_mpp.stores.sql import schema, types
from flask_otp_mpp.stores.sql.schema import include_object, metadata
from flask_otp_mpp.testing.contract.builders import (
    POLICY,
    RIGHT,
    WRONG,
    answer,
    attempt,
    draft,
    opened,
)
from tests.commands import run
from tests.services import MYSQL, POSTGRESQL
from tests.stores.servers import mysql_url, postgresql_url
from tests.wallet import Wallet

Place = Callable[[Path], AbstractContextManager[str]]
REQUESTS: Final = "otp_mpp_requests"
PLACES: Final[dict[str, Place]] = {
    "sqlite": lambda folder: nullcontext(f"sqlite:///{folder}/otp.db"),
    "postgresql": lambda folder: postgresql_url("schema"),
    "mysql": lambda folder: mysql_url("schema"),
}


@contextmanager
def connected(store: SQLAlchemyStore) -> Iterator[SQLAlchemyStore]:
    yield store
    store.engine.dispose()


@pytest.fixture(params=["sqlite", POSTGRESQL, MYSQL])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SQLAlchemyStore]:
    with PLACES[request.param](tmp_path) as url, connected(SQLAlchemyStore(url)) as store:
        yield store


def differences(engine: sa.Engine, wanted: sa.MetaData) -> list[Any]:
    """Return what autogenerate would do."""
    with engine.connect() as db:
        options = {"compare_type": True, "include_object": include_object}
        return list(compare_metadata(MigrationContext.configure(db, opts=options), wanted))


def test_migrations_lead_to_the_tables_that_the_code_works_with(store: SQLAlchemyStore) -> None:
    """T6: from an empty database, without a difference that autogenerate would see."""
    store.upgrade_tables()
    assert differences(store.engine, metadata) == []
    assert noted(store.engine) == schema.REVISION
    assert answer(store, opened(store), RIGHT) is None


def test_what_init_db_makes_can_be_upgraded(store: SQLAlchemyStore) -> None:
    """T6: it is noted at the newest revision, and the rows stay."""
    store.create_tables()
    challenge = opened(store)
    assert answer(store, challenge, WRONG) is Reason.CODE_UNMATCHED
    store.upgrade_tables()
    store.create_tables()
    assert noted(store.engine) == schema.REVISION
    assert differences(store.engine, metadata) == []
    for _ in range(4):
        assert answer(store, challenge, WRONG) is Reason.CODE_UNMATCHED
    assert answer(store, challenge, RIGHT) is Reason.TRIES_SPENT


def noted(engine: sa.Engine) -> str | None:
    with engine.connect() as db:
        return schema.revision(db)


def rows_of(engine: sa.Engine, table: str) -> list[tuple[Any, ...]]:
    with engine.connect() as db:
        return [tuple(row) for row in db.execute(sa.text(f"SELECT * FROM {table}"))]


def to_revision(engine: sa.Engine, revision: str) -> None:
    """Bring the tables to an older revision, as an operator could by Alembic's own command."""
    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS))
    with engine.begin() as db:
        config.attributes["connection"] = db
        command.downgrade(config, revision)


def test_the_rows_of_the_first_release_keep_their_meaning(store: SQLAlchemyStore) -> None:
    """T6, S10: tries and answers from before requests had names; nothing is sent or tried twice."""
    store.create_tables()
    sent = draft()
    reserved = store.reserve(sent, POLICY)
    assert isinstance(reserved, Challenge)
    store.settle(sent, Outcome(sent.id))
    wrong = attempt(sent.id, WRONG)
    store.spend(wrong, POLICY)
    to_revision(store.engine, "0001")
    assert len(rows_of(store.engine, "otp_mpp_standings")) == 1
    columns = {column["name"] for column in sa.inspect(store.engine).get_columns(REQUESTS)}
    assert {"digest", "subject"}.isdisjoint(columns)
    assert noted(store.engine) == "0001"
    store.upgrade_tables()
    assert noted(store.engine) == schema.REVISION
    assert differences(store.engine, metadata) == []
    assert not sa.inspect(store.engine).has_table("otp_mpp_standings")
    assert store.reserve(sent, POLICY) == Outcome(sent.id, repeated=True)
    again = store.spend(wrong, POLICY)
    assert (again.reason, again.repeated) == (Reason.CODE_UNMATCHED, True)
    assert store.get_answer(sent.request.value) == StoredAnswer(Outcome(sent.id), "", "")
    for _ in range(4):
        assert answer(store, reserved, WRONG) is Reason.CODE_UNMATCHED
    assert store.spend(attempt(sent.id, RIGHT), POLICY).reason is Reason.TRIES_SPENT


@pytest.mark.parametrize("client", ["0123456789abcdef", "fedcba9876543210"])
def test_locks_and_sends_from_before_clients_were_told_apart_count_for_each_client(
    store: SQLAlchemyStore, client: str
) -> None:
    """T6, A2: an upgrade ends no lock and allows no further send; later locks are by client."""
    store.create_tables()
    to_revision(store.engine, "0003")
    now = types.Moment().bind_processor(store.engine.dialect)(datetime.now(UTC))
    assert now is not None
    hour = 3_600_000_000
    rows = [
        ("locked", 3, 1, now + hour, now + hour, "[]"),
        ("sent", 0, 0, None, None, f'[["MOBILE", {now - 1_000_000}]]'),
        ("known", 0, 0, None, None, "[]"),
    ]
    names = ("subject", "failures", "locks", "locked_until", "forget_at", "sends")
    with store.engine.begin() as db:
        older = sa.Table("otp_mpp_user_limits", sa.MetaData(), autoload_with=db)
        for row in rows:
            values: dict[str, Any] = {
                **dict(zip(names, row, strict=True)),
                "keep_until": now + hour,
            }
            if db.dialect.name == "mysql":
                values["subject"] = row[0].encode()
            db.execute(sa.insert(older).values(**values))
    store.upgrade_tables()
    ends = {name: store.reserve(draft(name, client=client), POLICY) for name, *_ in rows}
    moment = types.EPOCH + now * types.MICROSECOND
    assert ends["locked"] == Outcome(ANY, Reason.SEND_LOCKED, until=moment + timedelta(hours=1))
    assert ends["sent"] == Outcome(
        ANY, Reason.SEND_LIMITED, until=moment + POLICY.cool_down - timedelta(seconds=1)
    )
    assert isinstance(ends["known"], Challenge)
    assert store.unlock("locked")
    assert not store.unlock("sent")


def test_a_writer_of_the_first_release_goes_on_after_the_upgrade(store: SQLAlchemyStore) -> None:
    """T6: hosts are replaced one after the other; what the older ones write is understood."""
    store.upgrade_tables()
    with store.engine.begin() as db:
        older = sa.Table(REQUESTS, sa.MetaData(), autoload_with=db)
        old = "old" if db.dialect.name != "mysql" else b"old"
        row = {"key": old, "challenge_id": old, "detail": "", "keep_until": 2**50}
        db.execute(sa.insert(older).values(**row))
    assert store.get_answer("old") == StoredAnswer(Outcome("old"), "", "")


def test_a_hosts_own_migrations_find_no_difference(store: SQLAlchemyStore) -> None:
    """T6: when it has taken our tables into its MetaData, beside its own."""
    host = sa.MetaData()
    sa.Table("host_table", host, sa.Column("id", sa.Integer, primary_key=True))
    schema.attach_tables(host)
    own = sa.create_engine(store.engine.url)  # which makes the file, if it is one
    host.create_all(own)
    own.dispose()
    assert differences(store.engine, host) == []
    assert noted(store.engine) is None
    assert answer(store, opened(store), RIGHT) is None


def test_what_a_host_migrates_itself_is_left_to_it(store: SQLAlchemyStore) -> None:
    """T6: its tables have no revision of ours from which they could be upgraded."""
    host = sa.create_engine(store.engine.url)  # which makes an SQLite file; the store's does not
    metadata.create_all(host)
    host.dispose()
    with pytest.raises(UnfitStore, match="your own migrations made them, and upgrade them"):
        store.upgrade_tables()


def test_the_newest_migration_is_the_revision_that_is_noted() -> None:
    """T6: whoever adds a step must say so in schema.py as well."""
    steps = sorted(path.stem for path in (schema.MIGRATIONS / "versions").glob("r*.py"))
    assert steps[-1].startswith(f"r{schema.REVISION}_")


def test_the_command_line_upgrades(make_wallet: Callable[..., Wallet]) -> None:
    """T6: `flask otp-mpp upgrade-db` says what it did and where, also if that is nothing."""
    wallet = make_wallet(store="sqlite")
    store = wallet.state.store
    assert isinstance(store, SQLAlchemyStore)
    place = store.engine.url.render_as_string()
    to_revision(store.engine, "0002")
    assert run(wallet.app, "upgrade-db").output == (
        f"{place}: upgraded from revision 0002 to {schema.REVISION}.\n"
    )
    nothing = f"{place}: nothing to do, the tables are of revision {{}}.\n"
    assert run(wallet.app, "upgrade-db").output == nothing.format(schema.REVISION)
    with store.engine.begin() as db:
        db.execute(sa.update(schema.versions).values(version_num="9999"))
    assert run(wallet.app, "upgrade-db").output == nothing.format("9999")
    assert wallet.send().code == "SUCCESS"
    assert run(make_wallet().app, "upgrade-db").output == "MemoryStore needs no tables.\n"
