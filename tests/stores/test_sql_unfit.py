"""A server that can't keep the promises is refused in a sentence that names what is missing."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any, Final

import pymysql
import pytest
import sqlalchemy as sa

from flask_otp_mpp.core.ports import StoreError, UnfitStore
from flask_otp_mpp.stores import SQLAlchemyStore
from flask_otp_mpp.stores.options import DEFAULT
from flask_otp_mpp.stores.sql import unfit
from flask_otp_mpp.stores.sql.mysql import MySQL
from flask_otp_mpp.stores.sql.postgresql import PostgreSQL
from tests.services import MYSQL, POSTGRESQL
from tests.stores.fake_postgresql import fake_postgresql, refusal, refusing_postgresql
from tests.stores.on_server import tables_at
from tests.stores.servers import mysql_url, postgresql_url
from tests.wallet import open_wallet

OTHERS: Final = {
    "CockroachDB CCL v23.1.11 (x86_64-pc-linux-gnu, built 2023/09/27, go1.19.10)": "CockroachDB",
    "PostgreSQL 15.2-YB-2.25.0.0-b489 on x86_64-pc-linux-gnu, 64-bit": "YugabyteDB",
    "PostgreSQL 11.2-YB-2.18.3.0-b0 on aarch64-unknown-linux-gnu": "YugabyteDB",
    "8.0.11-TiDB-v7.5.1": "TiDB",
    "TiDB Server (Apache License 2.0) Community Edition, MySQL 8.0 compatible": "TiDB",
    "8.0.30-Vitess": "Vitess",
    "8.0.23-PlanetScale": "Vitess",
    "5.7.25-OceanBase_CE-v4.2.1.2": "OceanBase",
    "SingleStoreDB source distribution (compatible; MySQL Enterprise)": "SingleStore",
}
OURS: Final = (
    "PostgreSQL 15.20 (Debian 15.20-0+deb12u1) on x86_64-pc-linux-gnu, compiled by gcc, 64-bit",
    "PostgreSQL 16.3 (EnterpriseDB Advanced Server 16.3.0) on x86_64-pc-linux-gnu",
    "PostgreSQL 16.4 (Homebrew) on aarch64-apple-darwin23.4.0",
    "10.11.19-MariaDB-0+deb12u1",
    "mariadb.org binary distribution",
    "8.0.36-28",
    "Percona Server (GPL), Release 28, Revision 47601f19",
    "8.0.mysql_aurora.3.05.2",
    "MySQL Community Server - GPL",
)


@pytest.mark.parametrize("said", OTHERS)
def test_a_database_that_looks_like_another_is_told_by_what_it_says(said: str) -> None:
    """F2: and what it lacks."""
    found = unfit.lookalike("PostgreSQL", "15.2", said)
    assert found is not None
    assert found.startswith(f"is {OTHERS[said]}, not PostgreSQL: ")
    assert found.endswith("; use PostgreSQL itself")


@pytest.mark.parametrize("said", OURS)
def test_a_server_of_ours_is_not_taken_for_another(said: str) -> None:
    assert unfit.lookalike("PostgreSQL", said) is None


SERVERS: Final[dict[str, tuple[str, str, str]]] = {
    "CockroachDB": (next(iter(OTHERS)), "0", "13.0.0"),
    "YugabyteDB": (list(OTHERS)[1], "0", "15.2-YB-2.25.0.0-b489"),
    "Aurora DSQL": ("PostgreSQL 16", "1", "16.0"),
}


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_of_another_name_is_refused_in_a_sentence(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """F2: it is no error of a version parser, whatever the version looks like; a warning is one."""
    version, dsql, short = SERVERS[name]

    def answer(statement: str) -> list[str]:
        if "iam_pg_role_mappings" in statement:
            return [version, dsql]
        return [version if "version()" in statement else "public"]

    with fake_postgresql(answer, server_version=short) as url:
        store = SQLAlchemyStore(url)
        with pytest.raises(UnfitStore, match=rf"@127.0.0.1:\d+/otp is {name}, not PostgreSQL: "):
            store.check()
        with store.engine.connect() as db:  # nothing of SQLAlchemy fails on the name
            assert db.dialect.server_version_info >= (13, 0)  # type: ignore[operator]
        store.engine.dispose()
        wallet = open_wallet(store=url, OTP_MPP_STORE_CHECK="warn")
        [warning] = [one.getMessage() for one in caplog.records if one.levelno == logging.WARNING]
        assert f"is {name}, not PostgreSQL" in warning
        wallet.close()


class Row(list[tuple[Any, ...]]):
    """Rows of which there may be one."""

    def one(self) -> tuple[Any, ...]:
        [row] = self
        return row


class Answering:
    """A connection to a server that says what it is told to."""

    def __init__(self, url: str, *answers: Row) -> None:
        self.engine = SimpleNamespace(url=sa.make_url(url))
        self.dialect = SimpleNamespace(is_mariadb=False)
        self._answers = list(answers)

    def exec_driver_sql(self, _statement: str) -> Any:
        return self._answers.pop(0)


NAMED: Final = Row([("8.0.36", "MySQL Community Server - GPL")])
GALERA: Final = Row([("wsrep_on", "ON"), ("wsrep_provider", "/usr/lib/galera/libgalera_smm.so")])
GROUP: Final = Row(
    [
        ("group_replication_group_name", "ce9be252-2b71-11e6-b8f4-00212844f856"),
        ("group_replication_single_primary_mode", "OFF"),
    ]
)
WRITTEN: Final[list[tuple[str, Row, str | None]]] = [
    ("mysql://h/otp", GALERA, "is a node of a Galera cluster of 3, and each node"),
    ("mysql://h/otp?writer=single", GALERA, None),
    ("mysql://h/otp", Row([("wsrep_on", "ON"), ("wsrep_provider", "none")]), None),
    ("mysql://h/otp", Row([("wsrep_on", "OFF"), ("wsrep_provider", "/usr/lib/x.so")]), None),
    ("mysql://h/otp", GROUP, "is a node of Group Replication with several primaries, and each"),
    ("mysql://h/otp?writer=single", GROUP, None),
    ("mysql://h/otp", Row([GROUP[0], (GROUP[1][0], "ON")]), None),
    ("mysql://h/otp", Row([("group_replication_group_name", ""), GROUP[1]]), None),
    ("mysql://h/otp", Row([("read_only", "ON")]), "can only be read, because read_only is ON; n"),
    ("mysql://h/otp", Row([("transaction_read_only", "ON")]), "because transaction_read_only is"),
    ("mysql://h/otp", Row([("read_only", "OFF"), ("tx_read_only", "OFF")]), None),
]


@pytest.mark.parametrize(("url", "state", "finding"), WRITTEN)
def test_a_node_of_several_that_are_written_to_and_a_replica_are_refused(
    url: str, state: Row, finding: str | None
) -> None:
    """F2: unless the URL declares that one node takes all writes."""
    found = MySQL(DEFAULT).unfit(Answering(url, NAMED, state, Row([("wsrep_cluster_size", "3")])))  # type: ignore[arg-type]
    assert found is None if finding is None else finding in str(found)


@pytest.mark.parametrize("said", ["8.0.11-TiDB-v7.5.1", "8.0.30-Vitess"])
def test_a_server_that_looks_like_mysql_is_refused_in_a_sentence(said: str) -> None:
    """F2: before anything else is asked of it."""
    found = MySQL(DEFAULT).unfit(Answering("mysql://h/otp", Row([(said, "")])))  # type: ignore[arg-type]
    assert f"is {OTHERS[said]}, not MySQL: " in str(found)


@pytest.mark.parametrize(
    ("url", "state", "finding"),
    [
        ("postgresql://h/otp", (False, "off", None), None),
        ("postgresql://h/otp", (True, "on", None), "because it is a standby; name the primary"),
        ("postgresql://h/otp", (False, "on", None), "default_transaction_read_only is on; set it"),
        ("postgresql://h/otp", (False, "off", "bdr"), "is a node of a cluster of bdr, and each"),
        ("postgresql://h/otp?writer=single", (False, "off", "spock"), None),
    ],
)
def test_a_postgresql_that_others_write_to_or_that_may_only_be_read_is_refused(
    url: str, state: tuple[Any, ...], finding: str | None
) -> None:
    """F2: by its state, or by extensions that replicate in both directions."""
    server = Answering(url, Row([(OURS[0], 0)]), Row([state]))
    found = PostgreSQL(DEFAULT).unfit(server)  # type: ignore[arg-type]
    assert found is None if finding is None else finding in str(found)


@pytest.mark.parametrize("kind", [POSTGRESQL, MYSQL])
def test_a_single_writer_is_declared_in_the_url_and_no_driver_sees_it(kind: str) -> None:
    """F2: and has one clock by which all hosts are judged, if one node takes all writes."""
    at = postgresql_url if kind == "postgresql" else mysql_url
    with tables_at(at("writer")) as place:
        url = sa.make_url(place).update_query_dict({"writer": "single"})
        store = SQLAlchemyStore(url.render_as_string(hide_password=False))
        assert store.check().endswith(", tables present")
        store.engine.dispose()
        other = url.update_query_dict({"writer": "both"}).render_as_string(hide_password=False)
        with pytest.raises(ValueError, match="writer=single declares that one node of a cluster"):
            SQLAlchemyStore(other)


REFUSED: Final = {
    'role "ada" does not exist': "28000",
    "Rolle »ada« existiert nicht": "28000",
    'role "ada" is not permitted to log in': "28000",
    'password authentication failed for user "ada"': "28P01",
    'permission denied for database "otp"': "42501",
    'no pg_hba.conf entry for host "10.0.0.1", user "ada", database "otp", no encryption': "28000",
    'pg_hba.conf rejects connection for host "10.0.0.1", user "ada"': "28000",
    'database "otp" does not exist': "3D000",
    "sorry, too many clients already": "53300",
    "the database system is starting up": "57P03",
}
PASSING: Final = {"sorry, too many clients already", "the database system is starting up"}


@pytest.mark.parametrize("said", REFUSED)
def test_a_postgresql_that_refuses_is_never_told_as_one_that_does_not_answer(said: str) -> None:
    """F2: by the check and by the commands that make tables; what passes is no fault."""
    with refusing_postgresql(refusal(said, REFUSED[said])) as url:
        store = SQLAlchemyStore(url)
        for ask in (store.check, store.create_tables, store.upgrade_tables):
            with pytest.raises(StoreError) as caught:
                ask()
            text = str(caught.value)
            assert "does not answer" not in text
            assert said.split('"', maxsplit=1)[0].strip() in text
            if said in PASSING:
                assert not isinstance(caught.value, UnfitStore)
        store.engine.dispose()


@pytest.mark.parametrize(
    "said",
    [
        "unsupported startup parameter: options",
        "unsupported startup parameter in options: search_path",
        "Feature not supported: RDS Proxy currently doesn\u2019t support command-line options.",
    ],
)
def test_options_of_the_url_that_a_pooler_refuses_are_not_dropped_silently(said: str) -> None:
    """F2: without a search_path the tables of somebody else might be used."""
    with refusing_postgresql(refusal(said, "08P01")) as url:
        store = SQLAlchemyStore(f"{url}&options=-c%20search_path%3Dotp")
        with pytest.raises(UnfitStore, match="take options out of OTP_MPP_STORE, and set them by"):
            store.check()
        store.engine.dispose()


CODES: Final = {
    1044: True, 1045: True, 1049: True, 1130: True, 1142: True, 1143: True, 1227: True,
    1290: True, 1698: True, 1792: True, 1820: True, 1836: True, 1862: True, 3118: True,
    3159: True, 4151: True,
    1040: False, 1203: False, 1047: False,
    2003: None, 2006: None, 2013: None, 2026: True,
}  # fmt: skip
"""Of a server's errors: whether they stay until somebody corrects them; None are the driver's."""


@pytest.mark.parametrize("code", CODES)
def test_what_mariadb_refuses_is_never_told_as_a_server_that_does_not_answer(code: int) -> None:
    """F2: in any language: by the number."""
    database = MySQL(DEFAULT)
    raised = database_error(code, "Zugriff verweigert")
    fault = database.access_fault(raised)
    assert fault is not None or database.answers(raised) is (CODES[code] is not None)
    assert (fault is not None) is (CODES[code] is True)
    assert fault is None or fault.startswith("Zugriff verweigert; ")


def database_error(code: int, text: str) -> sa.exc.DBAPIError:
    return sa.exc.OperationalError("", None, pymysql.err.OperationalError(code, text))
