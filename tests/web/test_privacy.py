"""What a user would not want to read in a log is in none, at any level."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask.signals import got_request_exception

from flask_otp_mpp import (
    Message,
    Reason,
    Refused,
    SQLAlchemyStore,
    otp_refused,
    otp_sent,
    otp_verified,
    user_locked,
)
from flask_otp_mpp.core.service import ById, SendOtp
from tests.wallet import User, Wallet

TOKEN = "tok-canary-token"
PHONE, EMAIL = "+86130canary", "canary-mail@users.example"


def load(token: str) -> User | None:
    """Know one user whose address must never be seen again."""
    if token == "tok-explode":
        raise LookupError(f"no row for {token} {PHONE}")
    return User("u1", PHONE, EMAIL) if token == TOKEN else None


class Gateway:
    """Deliver, or fail with all it knows in the message of the exception."""

    def __init__(self) -> None:
        self.codes: list[str] = []
        self.fails = False

    def __call__(self, user: User, message: Message) -> None:
        self.codes.append(message.code)
        if self.fails:
            raise TimeoutError(f"{user.phone} {user.email} {message.body}")


@pytest.fixture
def everything_logged(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Catch all loggers at DEBUG, SQLAlchemy's statements with their parameters among them."""
    names = ("sqlalchemy.engine", "sqlalchemy.pool")
    for name in names:
        logging.getLogger(name).setLevel(logging.DEBUG)
    with caplog.at_level(logging.DEBUG):
        yield caplog
    for name in names:
        logging.getLogger(name).setLevel(logging.NOTSET)


def test_no_sink_learns_code_token_phone_or_email(
    make_wallet: Callable[..., Wallet], everything_logged: pytest.LogCaptureFixture
) -> None:
    """P1: logs, signals, answers, reprs; through success, refusal, lock and crash."""
    gateway = Gateway()
    seen: list[Any] = []
    receivers = [otp_sent, otp_verified, otp_refused, user_locked]

    def receive(sender: object, **values: Any) -> None:
        seen.append(values)

    for signal in receivers:
        signal.connect(receive)
    try:
        wallet = make_wallet(store="sqlite", sender=gateway, loader=load, OTP_MPP_FAILURE_LIMIT=2)
        answers = [wallet.send(TOKEN)]
        request_id = answers[0].verify_request_id
        code = gateway.codes[0]
        wrong = f"{(int(code) + 1) % 10**6:06d}"
        answers += [
            wallet.caller.verify(TOKEN, request_id, code),
            wallet.caller.verify(TOKEN, request_id, code),
            wallet.send("tok-explode"),
            wallet.send(TOKEN, verifyType=PHONE),
            wallet.send(TOKEN, acquirerId=[TOKEN]),
            wallet.send(TOKEN, tamper="signature"),
        ]
        gateway.fails = True
        answers.append(wallet.send(TOKEN))
        gateway.fails = False
        other = wallet.send(TOKEN)
        answers += [wallet.caller.verify(TOKEN, other.verify_request_id, wrong) for _ in "12"]
    finally:
        for signal in receivers:
            signal.disconnect(receive)
    assert any("locked" in repr(values) or "until" in values for values in seen)
    text = (
        everything_logged.text
        + repr(seen)
        + "".join(
            repr(answer.response.headers) + answer.response.body.decode() for answer in answers
        )
    )
    assert "SELECT" in text
    for canary in (TOKEN, PHONE, EMAIL, "tok-explode", wrong, *gateway.codes):
        assert canary not in text, canary


def test_a_crash_is_logged_by_type_and_place_under_the_reference_that_was_answered(
    make_wallet: Callable[..., Wallet], caplog: pytest.LogCaptureFixture
) -> None:
    """P1: enough to find it, nothing of what it said; the host's own reporting gets it whole."""
    wallet = make_wallet(loader=load)
    reported: list[BaseException] = []

    def report(sender: object, exception: BaseException, **_: Any) -> None:
        reported.append(exception)

    with got_request_exception.connected_to(report, wallet.app):
        answer = wallet.send("tok-explode")
    reference = answer.message.partition("Reference ")[2].rstrip(".")
    assert f"reference {reference}" in caplog.text
    assert "builtins.LookupError at" in caplog.text
    assert "test_privacy.py" in caplog.text
    assert [type(error) for error in reported] == [LookupError]


def test_a_caller_can_write_nothing_into_the_log(
    wallet: Wallet, caplog: pytest.LogCaptureFixture
) -> None:
    """P1: a tracer id is logged if it looks like one."""
    caplog.set_level(logging.INFO)
    client = wallet.app.test_client()
    path = "/aps/api/v1/users/sendOTP"
    for tracer in ("0a1b2c-9", "x y=granted", "a" * 65):
        client.post(path, headers={"tracerid": tracer, "Client-Id": "x y=granted"})
    tracers = [record.message.rpartition("tracer=")[2] for record in caplog.records]
    assert tracers == ["0a1b2c-9", "?", "?"]
    assert "x y" not in caplog.text


def test_a_repr_hides_what_it_holds(wallet: Wallet) -> None:
    """P1: messages, commands and answers can be printed while one searches for a fault."""
    request_id, code = wallet.sent()
    user, message = wallet.inbox.received[0]
    call, _ = wallet.caller.prepare("/sendOTP", {"accessToken": TOKEN})
    assert code not in repr(message)
    assert TOKEN not in repr(call)
    assert isinstance(user, User)
    for command in (SendOtp, ById):
        hidden = {name for name, field in command.__dataclass_fields__.items() if not field.repr}
        assert {"credential"} <= hidden
    assert request_id not in repr(Refused(Reason.CODE_UNMATCHED))


def test_the_stores_engine_hides_parameters(make_wallet: Callable[..., Wallet]) -> None:
    """P1: an error of the database does not carry the row."""
    store = make_wallet(store="sqlite").state.store
    assert isinstance(store, SQLAlchemyStore)
    assert store.engine.hide_parameters
