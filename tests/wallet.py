"""A wallet for tests: a Flask app with the extension, its users, its inboxes and its caller."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from itertools import count
from typing import Any

import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric import rsa
from flask import Flask

from flask_otp_mpp import (
    AlipayPlus,
    Caller,
    Channel,
    Message,
    OtpMpp,
    Reason,
    SQLAlchemyStore,
    attach_audit_table,
    refuse,
    state_of,
)
from flask_otp_mpp.callers.alipayplus import AlipayPlusAnswer, AlipayPlusCaller
from flask_otp_mpp.callers.transport import Transport, over_wsgi
from flask_otp_mpp.protocols.base import WireProtocol
from flask_otp_mpp.signing.keys import one_line, private_pem
from flask_otp_mpp.testing import FrozenClock, Inbox
from flask_otp_mpp.web.state import State
from tests.vectors import WALLET_KEYS, parsed

CLIENT = "SANDBOX_5Y00000000000000"
PSP = "1022172000000000000"
ACQUIRER = "1022188000000000000"
PEPPER = "a pepper for tests, of more than thirty-two bytes"

REFUSED_TOKENS = {
    "expired": Reason.TOKEN_EXPIRED,
    "unscoped": Reason.TOKEN_INVALID,
    "gone": Reason.USER_MISSING,
    "frozen": Reason.USER_ABNORMAL,
    "failing": Reason.PROCESS_FAILED,
    "barred": Reason.ACCESS_DENIED,
}


@cache
def key(name: str) -> rsa.RSAPrivateKey:
    """Return the test key of that name: a stored one, or one that is generated once."""
    if name in WALLET_KEYS:
        return parsed(WALLET_KEYS[name])
    return rsa.generate_private_key(65537, 2048)


@dataclass(frozen=True)
class User:
    """A user with an address on each channel."""

    id: str
    phone: str
    email: str


def load_user(token: str, caller: Caller) -> User | None:
    """Load the user of a token ``tok-NAME``; refuse certain tokens, each for its reason."""
    if token in REFUSED_TOKENS:
        refuse(REFUSED_TOKENS[token])
    if not token.startswith("tok-"):
        return None
    name = token.removeprefix("tok-")
    return User(name, f"+86130{name}", f"{name}@users.example")


def request_fields(token: str = "tok-ada", **more: Any) -> dict[str, Any]:
    """Return the fields of a sendOTP request; ``more`` for those that verifyOTP has besides."""
    return {"acquirerId": ACQUIRER, "pspId": PSP, "accessToken": token, **more}


@dataclass
class Wallet:
    """A wallet with what a test needs: app, caller, inboxes and clock."""

    app: Flask
    otp: OtpMpp
    inbox: Inbox
    clock: FrozenClock
    caller: AlipayPlusCaller = field(init=False)
    _requests: Iterator[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        self.caller = self.calling()

    @property
    def state(self) -> State:
        return state_of(self.app)

    def send(self, token: str = "tok-ada", **more: Any) -> AlipayPlusAnswer:
        """Call sendOTP, after the cool-down of an earlier send."""
        self.clock.forward(seconds=61)
        return self.caller.send(token, **more)

    def sent(self, token: str = "tok-ada", **more: Any) -> tuple[str, str]:
        """Send a code, which must succeed; return the request id and the code."""
        answer = self.send(token, **more)
        assert answer.code == "SUCCESS", answer.message
        return answer.verify_request_id, self.inbox.code

    def calling(self, transport: Transport | None = None, **changed: Any) -> AlipayPlusCaller:
        """Return a caller of this wallet that differs in the given options."""
        who: dict[str, Any] = {
            "client_id": CLIENT,
            "key": key("alipay+"),
            "server_keys": self.state.public_keys,
            "psp_id": PSP,
            "acquirer_id": ACQUIRER,
            "clock": self._request_time,
        }
        return AlipayPlusCaller(transport or over_wsgi(self.app), **{**who, **changed})

    def _request_time(self) -> datetime:
        # Two requests of one millisecond would be byte-identical: the second one a repeat.
        return self.clock() + timedelta(milliseconds=next(self._requests) % 1000)

    def close(self) -> None:
        """Close the store's connections."""
        if isinstance(self.state.store, SQLAlchemyStore):
            self.state.store.engine.dispose()


def settings(store: str = "memory://", **changed: Any) -> dict[str, Any]:
    """Return a configuration that starts; ``None`` for a key leaves it out."""
    values = {
        "OTP_MPP_PRIVATE_KEYS": {"1": private_pem(key("wallet")).decode()},
        "OTP_MPP_PEPPER": PEPPER,
        "OTP_MPP_STORE": store,
        "OTP_MPP_WALLET_NAME": "Test Wallet",
        "OTP_MPP_ALIPAYPLUS_CLIENTS": {CLIENT: {"1": one_line(key("alipay+").public_key())}},
        "OTP_MPP_ALIPAYPLUS_PSP_ID": PSP,
        **changed,
    }
    return {name: value for name, value in values.items() if value is not None}


def make_tables(url: str) -> None:
    """Create the tables of a SQL store, as ``flask otp-mpp init-db`` does."""
    store = SQLAlchemyStore(url)
    store.create_tables()
    store.engine.dispose()


def make_audit_table(store: SQLAlchemyStore) -> None:
    """Create the table of the audit trail in the database of a SQL store."""
    metadata = sa.MetaData()
    attach_audit_table(metadata)
    metadata.create_all(store.engine)


def open_wallet(
    *,
    store: str = "memory://",
    prepare: Callable[[Flask, OtpMpp], None] = lambda app, otp: None,
    finish: Callable[[Flask], None] = lambda app: None,
    sender: Callable[[User, Message], None] | None = None,
    loader: Callable[[str, Caller], Any] = load_user,
    channels: Sequence[Channel] = (Channel.MOBILE, Channel.EMAIL),
    protocols: Sequence[type[WireProtocol]] = (AlipayPlus,),
    options: dict[str, Any] | None = None,
    config: dict[str, Any] | None = None,
    app: Flask | None = None,
    **changed: Any,
) -> Wallet:
    """Open a wallet; a SQLite file gets its tables before.

    :param prepare: is called with the app before the extension gets it, ``finish`` after it.
    :param channels: those that have a sender.
    :param options: arguments for OtpMpp.
    :param config: further configuration of the app.
    :param app: a plain one if it is left out.
    :param changed: settings by their key.
    """
    clock, inbox = FrozenClock(), Inbox()
    otp = OtpMpp(*protocols, clock=clock, **(options or {}))
    otp.user_loader(loader)
    for channel in channels:
        otp.sender(channel)(sender or inbox)
    app = app or Flask("tests.wallet")
    app.config.update(settings(store, **changed), **(config or {}))
    if store.startswith("sqlite:////"):
        make_tables(store)
    prepare(app, otp)
    otp.init_app(app)
    finish(app)
    return Wallet(app, otp, inbox, clock)
