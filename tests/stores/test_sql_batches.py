"""Statements of one batch are sent safely: no value ends a statement or begins another one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import DataError

from flask_otp_mpp.core.idempotency import StoredAnswer
from flask_otp_mpp.core.reasons import Outcome, Reason
from flask_otp_mpp.stores import SQLAlchemyStore
from flask_otp_mpp.stores.sql import mysql, postgresql
from flask_otp_mpp.testing.contract.builders import (
    POLICY,
    RIGHT,
    WRONG,
    answer,
    draft,
    named,
    opened,
)
from tests.services import MYSQL, POSTGRESQL
from tests.stores.servers import mysql_url, postgresql_url

HOSTILE = (
    "'; DROP TABLE otp_mpp_requests; -- ",
    "\\'; DROP TABLE otp_mpp_requests; -- ",
    "\u00bf'; COMMIT; DROP TABLE otp_mpp_requests; #",
    "x' OR '1'='1",
    "%s %(at_key)s %% :now ? ;",
    "/*!50000 DROP TABLE otp_mpp_requests */",
    "\\",
    '\u2028\U0001f4de\u200b"`',
    "\ubffc'\u7e27'\u5c5c\\'",
)


@pytest.fixture(scope="module", params=["sqlite", POSTGRESQL, MYSQL])
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('batches')}/otp.db"
    else:
        at = postgresql_url if request.param == "postgresql" else mysql_url
        with at("batches") as url:
            yield url


@pytest.fixture
def store(place: str) -> Iterator[SQLAlchemyStore]:
    store = SQLAlchemyStore(place)
    store.create_tables()
    yield store
    store.engine.dispose()


def assert_kept(store: SQLAlchemyStore, text: str) -> None:
    """Check that names, ids and details with a text in them are kept as they are."""
    challenge = opened(store, text)
    assert answer(store, challenge, WRONG) is Reason.CODE_UNMATCHED
    asked = draft(f"of {text}", challenge_id=f"{text:.60}", key=named(f"{text:.60}", f"{text:.60}"))
    store.reserve(asked, POLICY)
    refusal = Outcome(asked.id, Reason.DELIVERY_REFUSED, text)
    store.settle(asked, refusal)
    assert store.get_answer(asked.request.value) == StoredAnswer(
        refusal, asked.request.digest, f"of {text}"
    )
    assert not store.unlock(f"{text}' OR subject <> '")
    assert answer(store, challenge, RIGHT) is None


@pytest.mark.parametrize("text", HOSTILE)
def test_a_text_is_a_text_whatever_it_says(store: SQLAlchemyStore, text: str) -> None:
    """P1, A9: names, ids and details that would be statements."""
    assert_kept(store, text)


@pytest.mark.server
@pytest.mark.parametrize("mode", ["NO_BACKSLASH_ESCAPES", "ANSI_QUOTES", ""])
@pytest.mark.parametrize("charset", ["utf8mb4", "gbk", "latin1"])
def test_neither_a_mode_nor_a_charset_of_mysql_changes_that(mode: str, charset: str) -> None:
    """P1: what a text means there depends on both; what is sent has no texts."""
    with mysql_url("modes") as url:
        asked = f"?charset={charset}&init_command=SET sql_mode='{mode}'"
        store = SQLAlchemyStore(url + asked)
        store.create_tables()
        for text in HOSTILE:
            assert_kept(store, text)
        store.engine.dispose()


HOLDS: Final = {
    "mysql": r"NULL|-?[0-9]+|(_utf8mb4 )?x'[0-9a-f]*'",
    "postgresql": (
        r"NULL|-?[0-9]+|decode\('[0-9a-f]*', 'hex'\)"
        r"|convert_from\(decode\('[0-9a-f]*', 'hex'\), 'UTF8'\)"
        r"|'[^'\\\0-\x1f\x7f-\U0010ffff]*'"
    ),
}


WRITTEN: Final = {"mysql": mysql.literal, "postgresql": postgresql.literal}


@pytest.mark.parametrize("server", HOLDS)
@given(value=st.none() | st.integers() | st.text() | st.binary())
def test_a_literal_holds_digits_or_plain_text_only(
    server: str, value: int | str | bytes | None
) -> None:
    """P1: so nothing in it can end it."""
    try:
        found = WRITTEN[server](value)
    except (UnicodeEncodeError, DataError):  # half a pair of surrogates; a NUL
        return
    assert re.fullmatch(HOLDS[server], found)


@pytest.mark.parametrize("value", [1.5, object(), ["x"]])
def test_what_has_no_literal_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match=r"^no literal is known for"):
        mysql.literal(value)


def test_sqlite_waits_for_the_lock_before_it_asks_for_the_time(tmp_path: Path) -> None:
    """L4: whoever waits must not judge by the time at which the waiting began."""
    locked: list[bool] = []
    url = f"sqlite:///{tmp_path}/otp.db"
    aside = sa.create_engine(url, connect_args={"timeout": 0})

    def clock() -> Any:
        with aside.connect() as db, pytest.raises(sa.exc.OperationalError, match="locked"):
            db.exec_driver_sql("BEGIN IMMEDIATE")
        locked.append(True)
        return moment

    store = SQLAlchemyStore(url)
    store.create_tables()
    challenge = opened(store)
    moment = challenge.issued_at
    timed = SQLAlchemyStore(url, clock)
    assert answer(timed, challenge, RIGHT) is None
    assert locked == [True]
    for opened_engine in (aside, store.engine, timed.engine):
        opened_engine.dispose()
