"""Each verb needs as many statements as the store's docstring tells, on each database."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeAlias

import pytest
import sqlalchemy as sa
from pymysql.constants import SERVER_STATUS

from benchmarks.roundtrips import Relay
from flask_otp_mpp.core.idempotency import NOT_COUNTED
from flask_otp_mpp.core.policy import Policy, Resend
from flask_otp_mpp.core.reasons import Outcome, Reason
from flask_otp_mpp.stores import SQLAlchemyStore
from flask_otp_mpp.stores.sql import store as module
from flask_otp_mpp.stores.sql.schema import metadata
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
from tests.stores.drivers import hear, statements
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


def repeated_attempt(store: SQLAlchemyStore) -> Verb:
    asked = attempt(opened(store).id, RIGHT)
    store.spend(asked, POLICY)
    return lambda: store.spend(asked, POLICY)


def compared(digest: bytes) -> Case:
    def case(store: SQLAlchemyStore) -> Verb:
        asked = attempt(opened(store).id, digest)
        return lambda: store.spend(asked, POLICY)

    return case


def not_compared(store: SQLAlchemyStore) -> Verb:
    opened(store)
    return lambda: store.spend(attempt("nothing", RIGHT), POLICY)


def not_compared_and_stored(store: SQLAlchemyStore) -> Verb:
    opened(store)
    return lambda: store.spend(attempt("nothing", RIGHT, key=named()), POLICY)


def settled(reason: Reason | None, not_cached: frozenset[Reason] = NOT_COUNTED) -> Case:
    def case(store: SQLAlchemyStore) -> Verb:
        asked = draft(key=named(not_cached=not_cached))
        store.reserve(asked, POLICY)
        return lambda: store.settle(asked, Outcome(asked.id, reason))

    return case


def answer_read(store: SQLAlchemyStore) -> Verb:
    asked = draft(key=named())
    store.reserve(asked, POLICY)
    return lambda: store.get_answer(asked.request.value)


def unlocked(store: SQLAlchemyStore) -> Verb:
    answer(store, opened(store), WRONG)
    return lambda: store.unlock("alice")


def looked_up(store: SQLAlchemyStore) -> Verb:
    opened(store)
    return lambda: store.look_up("alice")


def forgotten(store: SQLAlchemyStore) -> Verb:
    answer(store, opened(store), WRONG)
    return lambda: store.forget("alice")


COMPARED: Final = compared(RIGHT)
DELIVERED: Final = settled(None)
REFUSED: Final = settled(Reason.DELIVERY_REFUSED)
FORGOTTEN: Final = settled(Reason.DELIVERY_REFUSED, frozenset({Reason.DELIVERY_REFUSED}))
# Statements on a server without BEGIN and COMMIT, and round trips with them.
CASES: Final[list[tuple[Case, int, int]]] = [
    (granted, 6, 2),
    (granted_again, 6, 2),
    (superseding, 7, 2),
    (reused, 5, 2),
    (limited, 4, 2),
    (repeated, 3, 2),
    (repeated_attempt, 2, 2),
    (COMPARED, 5, 2),
    (compared(WRONG), 5, 2),
    (not_compared, 2, 2),
    (not_compared_and_stored, 3, 2),
    (DELIVERED, 1, 1),
    (REFUSED, 2, 1),
    (FORGOTTEN, 2, 1),
    (looked_up, 1, 1),
    (unlocked, 3, 2),
    (forgotten, 6, 2),
    (answer_read, 1, 1),
]
ENSURING: Final = {granted, granted_again, superseding, reused, limited, repeated, forgotten}
"""Those that insert the user's row, if it is missing, to lock it; SQLite locks the file."""
DOCUMENTED: Final = {
    "reserve, granted": granted,
    "reserve, superseding one": superseding,
    "reserve, refused": limited,
    "reserve, repeated": repeated,
    "spend, compared": COMPARED,
    "spend, not compared": not_compared,
    "spend, refusal stored": not_compared_and_stored,
    "spend, repeated": repeated_attempt,
    "settle, delivered": DELIVERED,
    "settle, refused": REFUSED,
    "settle, not stored": FORGOTTEN,
    "look_up": looked_up,
    "unlock": unlocked,
    "forget": forgotten,
    "get_answer": answer_read,
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
        file = tmp_path_factory.mktemp("statements") / "otp.db"
        file.touch()  # the store makes it with its tables, which are dropped first
        yield f"sqlite:///{file}"


@pytest.fixture
def store(place: str) -> Iterator[SQLAlchemyStore]:
    store = SQLAlchemyStore(place)
    metadata.drop_all(store.engine)
    store.create_tables()
    yield store
    store.engine.dispose()


def sent_by(store: SQLAlchemyStore, case: Case) -> list[str]:
    """Return the statements of a verb, with BEGIN and COMMIT."""
    texts = hear(store.engine)
    verb = case(store)
    store.get_answer("nothing")  # so that a connection is open
    texts.clear()
    verb()
    return statements(texts)


@pytest.mark.parametrize(("case", "count", "_trips"), CASES)
@pytest.mark.alike(4)
def test_a_verb_is_one_transaction_of_few_statements(
    store: SQLAlchemyStore, case: Case, count: int, _trips: int
) -> None:
    if store.engine.dialect.name == "sqlite" and case in ENSURING:
        count -= 1
    if case in (answer_read, looked_up):  # they read once
        assert len(sent_by(store, case)) == count
        return
    first, *between, last = sent_by(store, case)
    assert (first, last) == ("BEGIN", "COMMIT")
    assert not {"BEGIN", "COMMIT"} & set(between)
    assert len(between) == count, between


@pytest.mark.parametrize("place", SERVERS, indirect=True)
@pytest.mark.parametrize(("case", "_count", "trips"), CASES)
def test_a_verb_that_decides_needs_two_round_trips_and_one_that_does_not_needs_one(
    place: str, case: Case, _count: int, trips: int
) -> None:
    """O1: counted on the wire, where BEGIN, COMMIT and pings are seen as well."""
    url = sa.make_url(place)
    made = SQLAlchemyStore(place)
    metadata.drop_all(made.engine)
    made.create_tables()
    made.engine.dispose()
    with Relay(url.host or "", url.port or 0) as relay:
        through = url.set(host="127.0.0.1", port=relay.port)
        if url.get_backend_name() == "postgresql":
            through = through.update_query_string("sslmode=disable&gssencmode=disable")
        store = SQLAlchemyStore(through.render_as_string(hide_password=False))
        store.get_answer("nothing")  # so that a connection is open
        verb = case(store)
        before = relay.round_trips
        verb()
        assert relay.round_trips - before == trips
        store.engine.dispose()


def test_the_docstring_tells_how_many() -> None:
    rows = re.findall(r"^(\w+(?:, [\w ]+?)?) {2,}(\d+) +(\d+)$", module.__doc__ or "", re.M)
    documented = {name: tuple(map(int, counts)) for name, *counts in rows}
    counts = {case: more for case, *more in CASES}
    assert documented == {name: tuple(counts[case]) for name, case in DOCUMENTED.items()}


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
