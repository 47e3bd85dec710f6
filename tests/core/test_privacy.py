"""Nothing that holds a code, a token or a digest shows it when it is printed."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flask_otp_mpp.core.caller import Caller
from flask_otp_mpp.core.challenge import Attempt, Challenge, Channel, Draft
from flask_otp_mpp.core.idempotency import IdempotencyKey
from flask_otp_mpp.core.message import Message
from flask_otp_mpp.core.secret import Secret
from flask_otp_mpp.core.service import ById, SendOtp, VerifyOtp
from flask_otp_mpp.core.users import AccessToken, PhoneNumber
from flask_otp_mpp.protocols.values import Inbound

CODE, TOKEN, DIGEST = "canary-code", "canary-token", b"canary-digest"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
REQUEST = IdempotencyKey("request", timedelta(minutes=10))
LIFE = timedelta(minutes=5)
CALLER = Caller("alipayplus", "client", "acquirer", "psp")


def held(value: Any) -> str:
    """Return what is in a value, secrets included."""
    if isinstance(value, Secret):
        return held(value.reveal())
    if dataclasses.is_dataclass(value):
        return "".join(held(getattr(value, one.name)) for one in dataclasses.fields(value))
    return str(value)


@pytest.mark.parametrize(
    "value",
    [
        SendOtp(CALLER, AccessToken(TOKEN), Channel.MOBILE, REQUEST),
        VerifyOtp(CALLER, ById("id", AccessToken(TOKEN)), Secret(CODE), REQUEST),
        Draft("id", "user", "caller", "client", Channel.MOBILE, DIGEST, REQUEST),
        Attempt("id", "user", "caller", "client", (DIGEST, DIGEST), REQUEST),
        Challenge("id", "user", "caller", Channel.MOBILE, DIGEST, NOW, NOW + LIFE, 5),
        Message(Secret(CODE), Secret(f"{CODE} is your code"), Channel.MOBILE, LIFE, CALLER),
        Inbound("POST", "/", "/", {"signature": TOKEN}, CODE.encode()),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_holds_a_secret_does_not_print_it(value: Any) -> None:
    """P1: reprs end in logs, tracebacks and error trackers."""
    assert "canary" in held(value)
    assert "canary" not in repr(value)
    assert "canary" not in str(value)
    assert "canary" not in f"{[value]}"


def test_a_credential_does_not_print_itself() -> None:
    """P1: a token in a traceback's locals is a token in a log."""
    assert "canary" not in repr([AccessToken(TOKEN), PhoneNumber(TOKEN)])
    assert repr(AccessToken(TOKEN)) == "<AccessToken>"
