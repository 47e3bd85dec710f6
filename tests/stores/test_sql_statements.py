"""Each verb needs as many statements as the store says, on each kind of database, and no more."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeAlias

import pytest
import sqlalchemy as sa

from flask_otp_mpp.core.challenge import Outcome
from flask_otp_mpp.core.policy import Policy, Resend
from flask_otp_mpp.core.reasons import Reason
from flask_otp_mpp.stores import SQLAlchemyStore
from flask_otp_mpp.stores import sqlalchemy as module
from flask_otp_mpp.stores.tables import metadata
from flask_otp_mpp.testing.contract.asking import (
    POLICY,
    QUICK,
    RIGHT,
    WRONG,
    answer,
    claim,
    draft,
    opened,
)
from tests.stores.servers import mysql_url, postgresql_url

Verb: TypeAlias = Callable[[], object]
Case: TypeAlias = Callable[[SQLAlchemyStore], Verb]
REUSE: Final = Policy(resend=Resend.REUSE, cool_down=QUICK.cool_down, send_limits=QUICK.send_limits)


def granted(store: SQLAlchemyStore) -> Verb:
    return lambda: store.reserve(draft(), QUICK)


def granted_again(store: SQLAlchemyStore) -> Verb:
    answer(store, opened(store), RIGHT)
    return lambda: store.reserve(draft(), QUICK)


def superseding(store: SQLAlchemyStore) -> Verb:
    opened(store)
    return lambda: store.reserve(draft(), QUICK)


def reused(store: SQLAlchemyStore) -> Verb:
    opened(store)
    return lambda: store.reserve(draft(), REUSE)


def limited(store: SQLAlchemyStore) -> Verb:
    opened(store)
    return lambda: store.reserve(draft(), POLICY)


def repeated(store: SQLAlchemyStore) -> Verb:
    asked = draft()
    store.reserve(asked, POLICY)
    return lambda: store.reserve(asked, POLICY)


def compared(digest: bytes) -> Case:
    def case(store: SQLAlchemyStore) -> Verb:
        asked = claim(opened(store).id, digest)
        return lambda: store.spend(asked, POLICY)

    return case


def not_compared(store: SQLAlchemyStore) -> Verb:
    opened(store)
    return lambda: store.spend(claim("nothing", RIGHT), POLICY)


def settled(reason: Reason | None) -> Case:
    def case(store: SQLAlchemyStore) -> Verb:
        asked = draft()
        store.reserve(asked, POLICY)
        return lambda: store.settle(asked, Outcome(asked.id, reason))

    return case


def pardoned(store: SQLAlchemyStore) -> Verb:
    answer(store, opened(store), WRONG)
    return lambda: store.pardon("alice")


COLUMNS: Final = ("postgresql", "mysql", "sqlite")
# What the module's docstring says, by its own words, and further cases.
CASES: Final[list[tuple[Case, tuple[int, int, int]]]] = [
    (granted, (3, 5, 5)),
    (granted_again, (3, 5, 5)),
    (superseding, (3, 6, 6)),
    (reused, (3, 4, 4)),
    (limited, (3, 3, 3)),
    (repeated, (2, 2, 2)),
    (compared(RIGHT), (3, 5, 5)),
    (compared(WRONG), (3, 5, 5)),
    (not_compared, (2, 2, 2)),
    (settled(None), (1, 1, 1)),
    (settled(Reason.DELIVERY_REFUSED), (1, 2, 2)),
    (pardoned, (3, 3, 2)),
]
SAID: Final = {
    "reserve, granted": 0,
    "reserve, superseding one": 2,
    "reserve, refused": 4,
    "spend, compared": 6,
    "spend, not compared": 8,
    "settle, delivered": 9,
    "settle, refused": 10,
    "pardon": 11,
}


@pytest.fixture(scope="module", params=COLUMNS)
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    kind: str = request.param
    if kind == "postgresql":
        with postgresql_url("statements") as url:
            yield url
    elif kind == "mysql":
        with mysql_url("statements") as url:
            yield url
    else:
        yield f"sqlite:///{tmp_path_factory.mktemp('statements')}/otp.db"


@pytest.fixture
def store(place: str) -> Iterator[SQLAlchemyStore]:
    store = SQLAlchemyStore(place)
    metadata.drop_all(store.engine)
    store.create_tables()
    yield store
    store.engine.dispose()


def heard(store: SQLAlchemyStore, verb: Verb) -> list[str]:
    said: list[str] = []

    def statement(_db: Any, _cursor: Any, text: str, *_: Any) -> None:
        said.append(text)

    watched: dict[str, Callable[..., Any]] = {
        "before_cursor_execute": statement,
        "begin": lambda _db: said.append("BEGIN"),
        "commit": lambda _db: said.append("COMMIT"),
        "rollback": lambda _db: said.append("ROLLBACK"),
    }
    for name, listener in watched.items():
        sa.event.listen(store.engine, name, listener)
    verb()
    for name, listener in watched.items():
        sa.event.remove(store.engine, name, listener)
    return [text for text in said if text != "BEGIN IMMEDIATE"]  # on SQLite it is what begins


@pytest.mark.parametrize(("case", "counts"), CASES)
def test_a_verb_is_one_transaction_of_few_statements(
    store: SQLAlchemyStore, case: Case, counts: tuple[int, int, int]
) -> None:
    first, *statements, last = heard(store, case(store))
    assert (first, last) == ("BEGIN", "COMMIT")
    assert not {"BEGIN", "COMMIT", "ROLLBACK"} & set(statements)
    column = COLUMNS.index(store.engine.dialect.name)
    assert len(statements) == counts[column], statements


def test_the_docstring_says_how_many() -> None:
    rows = re.findall(r"^(\w+(?:, [\w ]+?)?) {2,}(\d+) +(\d+) +(\d+)$", module.__doc__ or "", re.M)
    said = {name: tuple(map(int, counts)) for name, *counts in rows}
    assert said == {name: CASES[index][1] for name, index in SAID.items()}
