"""Logs, signals, answers and reprs hold no secret, at any log level."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any, get_type_hints

import pytest
from flask.signals import got_request_exception

from flask_otp_mpp import (
    Caller,
    Message,
    Reason,
    Refused,
    SQLAlchemyStore,
    otp_refused,
    otp_sent,
    otp_verified,
    user_locked,
)
from flask_otp_mpp.core.secret import Secret
from flask_otp_mpp.core.service import ById, SendOtp
from tests.codes import LONG_CODE, wrong_code
from tests.wallet import User, Wallet

TOKEN = "tok-canary-token"
PHONE, EMAIL = "+86130canary", "canary-mail@users.example"


def load(token: str, caller: Caller) -> User | None:
    """Return one user, whose address must not appear anywhere."""
    if token == "tok-explode":
        raise LookupError(f"no row for {token} {PHONE}")
    return User("u1", PHONE, EMAIL) if token == TOKEN else None


class Gateway:
    """Deliver, or raise an exception whose message holds all that it knows."""

    def __init__(self) -> None:
        self.codes: list[str] = []
        self.fails = False

    def __call__(self, user: User, message: Message) -> None:
        self.codes.append(message.code)
        if self.fails:
            raise TimeoutError(f"{user.phone} {user.email} {message.body}")


@pytest.fixture
def everything_logged(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Capture all loggers at DEBUG, also SQLAlchemy's statements with their parameters."""
    names = ("sqlalchemy.engine", "sqlalchemy.pool")
    for name in names:
        logging.getLogger(name).setLevel(logging.DEBUG)
    with caplog.at_level(logging.DEBUG):
        yield caplog
    for name in names:
        logging.getLogger(name).setLevel(logging.NOTSET)


def test_no_log_signal_or_answer_holds_code_token_phone_or_email(
    make_wallet: Callable[..., Wallet], everything_logged: pytest.LogCaptureFixture
) -> None:
    """P1: in logs, signals, answers and reprs; in success, refusal, lock and error."""
    gateway = Gateway()
    seen: list[Any] = []
    receivers = [otp_sent, otp_verified, otp_refused, user_locked]

    def receive(sender: object, **values: Any) -> None:
        seen.append(values)

    for signal in receivers:
        signal.connect(receive)
    try:
        wallet = make_wallet(
            store="sqlite",
            sender=gateway,
            loader=load,
            OTP_MPP_FAILURE_LIMIT=2,
            OTP_MPP_CODE_DIGITS=LONG_CODE,
        )
        answers = [wallet.send(TOKEN)]
        request_id = answers[0].verify_request_id
        code = gateway.codes[0]
        wrong = wrong_code(code)
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
    extras = [
        {name: value for name, value in vars(record).items() if name.startswith("otp_")}
        for record in everything_logged.records
    ]
    assert any(extra.get("otp_subject") == "u1" for extra in extras)
    text = (
        everything_logged.text
        + repr(extras)
        + repr(seen)
        + "".join(
            repr(answer.response.headers) + answer.response.body.decode() for answer in answers
        )
    )
    assert "SELECT" in text
    for canary in (TOKEN, PHONE, EMAIL, "tok-explode", wrong, *gateway.codes):
        assert canary not in text, canary


def test_an_error_is_logged_by_type_and_place_with_the_reference_of_the_answer(
    make_wallet: Callable[..., Wallet], caplog: pytest.LogCaptureFixture
) -> None:
    """P1: enough to find it, without its message; the host's error reporting gets all of it."""
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


def test_a_caller_can_not_write_text_into_the_log(
    wallet: Wallet, caplog: pytest.LogCaptureFixture
) -> None:
    """P1: a tracer id is logged only if it has the form of one."""
    caplog.set_level(logging.INFO)
    client = wallet.app.test_client()
    path = "/aps/api/v1/users/sendOTP"
    for tracer in ("0a1b2c-9", "x y=granted", "a" * 65):
        client.post(path, headers={"tracerid": tracer, "Client-Id": "x y=granted"})
    assert [vars(record)["otp_tracer"] for record in caplog.records] == ["0a1b2c-9", "", ""]
    assert "tracer=0a1b2c-9" in caplog.text
    assert "x y" not in caplog.text


def test_a_repr_holds_no_secret(wallet: Wallet) -> None:
    """P1: messages, commands and answers can be printed while debugging."""
    request_id, code = wallet.sent()
    user, message = wallet.inbox.received[0]
    call, _ = wallet.caller.prepare("/sendOTP", {"accessToken": TOKEN})
    assert code not in repr(message)
    assert TOKEN not in repr(call)
    assert isinstance(user, User)
    commands = get_type_hints(SendOtp)["credential"], get_type_hints(ById)["credential"]
    assert all(issubclass(credential, Secret) for credential in commands)
    assert request_id not in repr(Refused(Reason.CODE_UNMATCHED))


def test_the_stores_engine_hides_parameters(make_wallet: Callable[..., Wallet]) -> None:
    """P1: an error of the database does not hold the row."""
    store = make_wallet(store="sqlite").state.store
    assert isinstance(store, SQLAlchemyStore)
    assert store.engine.hide_parameters
