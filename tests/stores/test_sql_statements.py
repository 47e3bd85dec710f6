"""Each verb needs as many statements as the store says, on each kind of database, and no more."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeAlias

import pytest
import sqlalchemy as sa
from pymysql.constants import SERVER_STATUS

from benchmarks.roundtrips import Relay
from flask_otp_mpp.core.challenge import UNCOMPARED, Outcome
from flask_otp_mpp.core.policy import Policy, Resend
from flask_otp_mpp.core.reasons import Reason
from flask_otp_mpp.stores import SQLAlchemyStore
from flask_otp_mpp.stores.sql import store as module
from flask_otp_mpp.stores.sql.dialect import Said
from flask_otp_mpp.stores.sql.sentences import Row
from flask_otp_mpp.stores.sql.tables import metadata
from flask_otp_mpp.testing.contract.builders import (
    POLICY,
    QUICK,
    RIGHT,
    WRONG,
    answer,
    attempt,
    draft,
    named,
    opened,
)
from tests.services import MYSQL, POSTGRESQL
from tests.stores.servers import mysql_url, postgresql_url

SERVERS: Final = (POSTGRESQL, MYSQL)
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
        asked = attempt(opened(store).id, digest)
        return lambda: store.spend(asked, POLICY)

    return case


def not_compared(store: SQLAlchemyStore) -> Verb:
    opened(store)
    return lambda: store.spend(attempt("nothing", RIGHT), POLICY)


def not_compared_and_remembered(store: SQLAlchemyStore) -> Verb:
    opened(store)
    return lambda: store.spend(attempt("nothing", RIGHT, key=named()), POLICY)


def settled(reason: Reason | None, not_cached: frozenset[Reason] = UNCOMPARED) -> Case:
    def case(store: SQLAlchemyStore) -> Verb:
        asked = draft(key=named(not_cached=not_cached))
        store.reserve(asked, POLICY)
        return lambda: store.settle(asked, Outcome(asked.id, reason))

    return case


def recalled(store: SQLAlchemyStore) -> Verb:
    asked = draft(key=named())
    store.reserve(asked, POLICY)
    return lambda: store.get_answer(asked.request.value)


def remembered(store: SQLAlchemyStore) -> Verb:
    return lambda: store.put_answer(named(), Outcome("", Reason.TOKEN_INVALID))


def unlocked(store: SQLAlchemyStore) -> Verb:
    answer(store, opened(store), WRONG)
    return lambda: store.unlock("alice")


# What the module's docstring says, by its own words, and further cases: statements, and how often
# a server is waited for, BEGIN and COMMIT included.
CASES: Final[list[tuple[Case, int, int]]] = [
    (granted, 5, 2),
    (granted_again, 5, 2),
    (superseding, 6, 2),
    (reused, 4, 2),
    (limited, 3, 2),
    (repeated, 2, 2),
    (compared(RIGHT), 5, 2),
    (compared(WRONG), 5, 2),
    (not_compared, 2, 2),
    (not_compared_and_remembered, 3, 2),
    (settled(None), 1, 1),
    (settled(Reason.DELIVERY_REFUSED), 2, 1),
    (settled(Reason.DELIVERY_REFUSED, frozenset({Reason.DELIVERY_REFUSED})), 2, 1),
    (unlocked, 3, 2),
    (recalled, 1, 1),
    (remembered, 2, 2),
]
SAID: Final = {
    "reserve, granted": 0,
    "reserve, superseding one": 2,
    "reserve, refused": 4,
    "spend, compared": 6,
    "spend, not compared": 8,
    "spend, that remembered": 9,
    "settle, delivered": 10,
    "settle, refused": 11,
    "settle, not remembered": 12,
    "unlock": 13,
    "get_answer": 14,
    "put_answer": 15,
}


@pytest.fixture(scope="module", params=[*SERVERS, "sqlite"])
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
    """Return what a verb says, with BEGIN and COMMIT."""
    texts: list[str] = []
    speak = store._transactions._speak

    def listening(
        driver: Any, said: Sequence[Said], *, begin: bool, commit: bool, lightly: bool
    ) -> list[list[Row]]:
        texts.extend(["BEGIN"] * begin)
        texts.extend(sentence.text for sentence, _ in said)
        texts.extend(["COMMIT"] * commit)
        return speak(driver, said, begin=begin, commit=commit, lightly=lightly)

    store._transactions._speak = listening
    verb()
    return texts


@pytest.mark.parametrize(("case", "count", "_journeys"), CASES)
def test_a_verb_is_one_transaction_of_few_statements(
    store: SQLAlchemyStore, case: Case, count: int, _journeys: int
) -> None:
    if case is recalled:  # it reads once
        assert len(heard(store, case(store))) == count
        return
    first, *statements, last = heard(store, case(store))
    assert (first, last) == ("BEGIN", "COMMIT")
    assert not {"BEGIN", "COMMIT"} & set(statements)
    assert len(statements) == count, statements


@pytest.mark.parametrize("place", SERVERS, indirect=True)
@pytest.mark.parametrize(("case", "_count", "journeys"), CASES)
def test_a_server_is_waited_for_twice_by_what_decides_and_once_by_what_does_not(
    place: str, case: Case, _count: int, journeys: int
) -> None:
    """O1: counted on the wire, where BEGIN, COMMIT and pings are seen as well."""
    url = sa.make_url(place)
    with Relay(url.host or "", url.port or 0) as relay:
        through = url.set(host="127.0.0.1", port=relay.port)
        if url.get_backend_name() == "postgresql":
            through = through.update_query_string("sslmode=disable&gssencmode=disable")
        store = SQLAlchemyStore(through.render_as_string(hide_password=False))
        metadata.drop_all(store.engine)
        store.create_tables()
        verb = case(store)  # which has opened a connection
        before = relay.round_trips
        verb()
        assert relay.round_trips - before == journeys
        store.engine.dispose()


def test_the_docstring_says_how_many() -> None:
    rows = re.findall(r"^(\w+(?:, [\w ]+?)?) {2,}(\d+) +(\d+)$", module.__doc__ or "", re.M)
    said = {name: tuple(map(int, counts)) for name, *counts in rows}
    assert said == {name: CASES[index][1:] for name, index in SAID.items()}


def test_nothing_is_left_open(store: SQLAlchemyStore) -> None:
    """S4: whatever a verb found, and however often it is asked."""
    challenge = opened(store)
    for reason in (Reason.CODE_UNMATCHED, Reason.CODE_UNMATCHED):
        assert answer(store, challenge, WRONG) is reason
    store.get_answer("nothing")
    store.unlock("nobody")
    connection = store.engine.raw_connection()
    driver: Any = connection.dbapi_connection
    if store.engine.dialect.name == "sqlite":
        assert not driver.in_transaction
    elif store.engine.dialect.name == "postgresql":
        assert driver.info.transaction_status.name == "IDLE"
    else:
        assert not driver.server_status & SERVER_STATUS.SERVER_STATUS_IN_TRANS
    connection.close()
