"""A decision and its row are one transaction, where the trail is in the store's database."""

from __future__ import annotations

import itertools
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, Final

import pytest
import sqlalchemy as sa

from benchmarks.roundtrips import Relay
from flask_otp_mpp import SQLAlchemyStore
from flask_otp_mpp.audit.chain import Entry
from flask_otp_mpp.audit.record import Kind
from flask_otp_mpp.audit.table import AuditTable
from flask_otp_mpp.audit.trail import AuditTrail
from tests.audit.trails import findings
from tests.faults.backends import empty_backend, host_and_port, through_port
from tests.services import MARIADB, POSTGRESQL
from tests.wallet import Wallet, open_wallet, request_fields

SEND, VERIFY = "send", "verify"
COMMITS: Final = {SEND: 2, VERIFY: 1}
"""Which COMMIT of a request ends the transaction that decides: that of a send is its settle."""
_users = (f"user{number}" for number in itertools.count())


@pytest.fixture(scope="module", params=["sqlite", POSTGRESQL, MARIADB])
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Make a database with the tables of store and trail."""
    with empty_backend(request.param, tmp_path_factory.mktemp("decisions")) as url:
        table = AuditTable(SQLAlchemyStore(url))
        table.create()
        table.store.engine.dispose()
        yield url


@pytest.fixture
def make(place: str) -> Iterator[Callable[..., Wallet]]:
    with ExitStack() as stack:

        def made(url: str = place, **how: Any) -> Wallet:
            wallet = open_wallet(
                store="sqlite" if url.startswith("sqlite") else "",
                OTP_MPP_STORE=url,
                **{"OTP_MPP_AUDIT": "store", **how},
            )
            stack.callback(wallet.close)
            return wallet

        yield made


@pytest.fixture
def user() -> str:
    return next(_users)


def trail_of(wallet: Wallet) -> AuditTrail:
    trail = wallet.state.audit
    assert trail is not None
    return trail


def rows(wallet: Wallet, user: str) -> list[Entry]:
    """Return the decisions on a user in their order."""
    return [row for row in reversed(trail_of(wallet).recent(user)) if row.kind == Kind.DECISION]


def codes(wallet: Wallet, user: str) -> list[str]:
    return [f"{row.fields['operation']} {row.fields['code']}" for row in rows(wallet, user)]


def at_commit(wallet: Wallet, act: Callable[[int], None], *, after: bool = False) -> None:
    """Call ``act`` with the number of each COMMIT, when all else is executed, or after it."""
    store: Any = wallet.state.store
    real, numbers = store.database.execute, itertools.count(1)

    def execute(driver: Any, batch: Any, *, begin: bool, commit: bool, durable: bool) -> Any:
        if not commit:
            return real(driver, batch, begin=begin, commit=False, durable=durable)
        if after:
            found = real(driver, batch, begin=begin, commit=True, durable=durable)
            act(next(numbers))
            return found
        real(driver, batch, begin=begin, commit=False, durable=durable)
        act(next(numbers))
        return real(driver, [], begin=False, commit=True, durable=durable)

    store.database.execute = execute


def ask(wallet: Wallet, what: str, user: str, sent: tuple[str, str]) -> str:
    if what == SEND:
        return wallet.send(f"tok-{user}").code
    return wallet.caller.verify(f"tok-{user}", *sent).code


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def killed(work: Callable[[], object]) -> None:
    """Do work in a forked process, which kills itself at some point of it."""
    if (child := os.fork()) == 0:
        try:
            work()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL


@pytest.mark.parametrize("what", [SEND, VERIFY])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.alike(3)
def test_a_killed_process_leaves_one_row_of_what_was_decided_and_none_of_what_was_not(
    make: Callable[..., Wallet], user: str, what: str, after: bool
) -> None:
    """O11: kill -9 when all is written, and right after COMMIT, before the answer leaves."""
    wallet = make()
    sent = wallet.sent(f"tok-{user}")
    before = codes(wallet, user)

    def work() -> None:
        mortal = make()
        mortal.clock.now = wallet.clock.now
        at_commit(mortal, lambda number: kill() if number == COMMITS[what] else None, after=after)
        ask(mortal, what, user, sent)

    wallet.close()
    killed(work)
    assert codes(wallet, user) == before + [f"{what} SUCCESS"] * after
    assert findings(trail_of(wallet)) == []


@pytest.mark.parametrize("what", [SEND, VERIFY])
def test_an_answer_that_can_not_be_signed_leaves_the_one_row_of_its_decision(
    make: Callable[..., Wallet], user: str, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """O11: the row tells what was decided, whatever becomes of the answer."""
    wallet = make()
    sent = wallet.sent(f"tok-{user}")
    before = codes(wallet, user)
    protocol: Any = wallet.state.protocols[0]
    real, failures = protocol.answer, [OSError("the signer is away")]

    def answer(*how: Any) -> Any:
        if failures:
            raise failures.pop()
        return real(*how)

    monkeypatch.setattr(protocol, "answer", answer)
    assert ask(wallet, what, user, sent) == "UNKNOWN_EXCEPTION"
    assert codes(wallet, user) == [*before, f"{what} SUCCESS"]


def test_a_transaction_that_is_rolled_back_leaves_no_row_and_its_retry_one(
    make: Callable[..., Wallet], user: str
) -> None:
    """O11: as after a deadlock, in each of the transactions of a send and of a verify."""
    wallet = make()
    tries: list[int] = []

    def roll_back_every_other(number: int) -> None:
        tries.append(number)
        if number % 2:
            raise error_of(wallet)("injected")

    at_commit(wallet, roll_back_every_other)
    sent = wallet.sent(f"tok-{user}")
    assert ask(wallet, VERIFY, user, sent) == "SUCCESS"
    assert len(tries) == 2 * (COMMITS[SEND] + COMMITS[VERIFY])
    assert codes(wallet, user) == ["send SUCCESS", "verify SUCCESS"]
    assert findings(trail_of(wallet)) == []


def error_of(wallet: Wallet) -> type[Exception]:
    """Return an error of the driver after which a transaction is run again."""
    store: Any = wallet.state.store
    found: type[Exception] = store.engine.dialect.loaded_dbapi.IntegrityError
    return found


def test_chains_hold_under_many_threads_whose_transactions_are_run_again(
    make: Callable[..., Wallet],
) -> None:
    """O11: no chain has a hole or a fork, and each decision has its row."""
    wallet = make()
    tries, lost = threading.local(), []

    def roll_back_every_other(_number: int) -> None:
        # Counted by thread: of a count of all, one transaction could get each of its five failures.
        tries.number = getattr(tries, "number", 0) + 1
        if tries.number % 2:
            lost.append(tries.number)
            raise error_of(wallet)("injected")

    at_commit(wallet, roll_back_every_other)
    names = [next(_users) for _ in range(16)]

    def work(name: str) -> None:
        for wrong in ("000000", "000001"):
            wallet.caller.verify(f"tok-{name}", "nothing", wrong)

    threads = [threading.Thread(target=work, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name in names:
        assert codes(wallet, name) == ["verify VERIFY_REQUEST_ID_INVALID"] * 2
    assert len(lost) >= 2 * len(names)
    assert findings(trail_of(wallet)) == []


@pytest.mark.parametrize(
    ("failure", "code"), [("closed", "UNKNOWN_EXCEPTION"), ("open", "SUCCESS")]
)
def test_a_decision_whose_row_can_not_be_written_is_not_made_unless_the_trail_is_open(
    make: Callable[..., Wallet],
    user: str,
    failure: str,
    code: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """O11: a code is not used up by it, and a message that is out has an end that is unknown."""
    wallet = make(OTP_MPP_AUDIT_FAILURE=failure)
    sent = wallet.sent(f"tok-{user}")
    engine = trail_of(wallet).table.store.engine
    rename(engine, "otp_mpp_audit", "otp_mpp_away")
    try:
        assert ask(wallet, VERIFY, user, sent) == code
    finally:
        rename(engine, "otp_mpp_away", "otp_mpp_audit")
    assert "the audit trail could not be written" in caplog.text
    granted = ask(wallet, VERIFY, user, sent) == "SUCCESS"
    assert granted is (failure == "closed")
    assert findings(trail_of(wallet)) == []


def rename(engine: sa.Engine, old: str, new: str) -> None:
    with engine.begin() as db:
        db.execute(sa.text(f"ALTER TABLE {old} RENAME TO {new}"))


def test_what_no_transaction_of_the_store_decides_is_recorded_once(
    make: Callable[..., Wallet], user: str
) -> None:
    """O11: a refusal before the store, and a repeat; the first one was recorded by its settle."""
    wallet = make()
    wallet.send("frozen")
    [refused] = rows(wallet, "")[-1:]
    assert refused.fields["reason"] == "USER_ABNORMAL"
    call, _ = wallet.caller.prepare("/sendOTP", request_fields(f"tok-{user}"))
    for _ in range(2):
        wallet.app.test_client().post(call.uri, data=call.body, headers=dict(call.headers))
    assert [row.fields.get("repeated") for row in rows(wallet, user)] == [None, True]


@pytest.mark.parametrize("place", [POSTGRESQL, MARIADB], indirect=True)
def test_the_row_of_a_decision_costs_no_round_trip(
    make: Callable[..., Wallet], place: str, user: str
) -> None:
    """O11: counted on the wire, for a send, a right code, and a refusal that is not stored."""
    with Relay(*host_and_port(place)) as relay:
        url = through_port(place, relay.port)
        without, audited = (
            round_trips(make(url, OTP_MPP_AUDIT=audit), relay, user) for audit in (None, "store")
        )
    # One more for each verb that decides than with the server's time: the wallet has a clock.
    assert audited == without == [4, 3, 3]


def round_trips(wallet: Wallet, relay: Relay, user: str) -> list[int]:
    """Return how many a send takes, a right code, and the same code again."""
    wallet.send(f"tok-{next(_users)}")  # what is done once in a process is done now
    seen = [relay.round_trips]
    sent = wallet.sent(f"tok-{user}")
    seen.append(relay.round_trips)
    for _ in range(2):
        wallet.caller.verify(f"tok-{user}", *sent)
        seen.append(relay.round_trips)
    return [after - before for before, after in itertools.pairwise(seen)]


@pytest.mark.parametrize("durable", [False, True])
def test_the_end_of_a_send_waits_for_the_disk_if_rows_must(
    make: Callable[..., Wallet], user: str, durable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """O11: else a crash of the machine may lose both, the end and its row."""
    wallet = make(OTP_MPP_AUDIT_DURABLE=durable)
    found: list[bool] = []
    transactions = trail_of(wallet).table.store.transactions
    real = transactions.run

    def run(work: Any, *, durable: bool = True) -> Any:
        found.append(durable)
        return real(work, durable=durable)

    monkeypatch.setattr(transactions, "run", run)
    wallet.sent(f"tok-{user}")
    assert found[-2:] == [True, durable]
