"""A wallet that Google calls: a Flask app with accounts, users by phone number, and an inbox."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import Flask

from flask_otp_mpp import (
    AccessToken,
    AlipayPlus,
    AssociationId,
    Caller,
    Channel,
    Message,
    OtpMpp,
    PhoneNumber,
    Reason,
    SQLAlchemyStore,
    refuse,
    state_of,
)
from flask_otp_mpp.callers.google import GoogleCaller
from flask_otp_mpp.callers.transport import over_wsgi
from flask_otp_mpp.protocols.google.accounts import open_sealers
from flask_otp_mpp.protocols.google.plain import PlainSealer
from flask_otp_mpp.protocols.google.protocol import GoogleStandardPayments
from flask_otp_mpp.protocols.google.sealer import Sealer
from flask_otp_mpp.protocols.google.settings import read_accounts
from flask_otp_mpp.testing import FrozenClock, Inbox
from tests.wallet import PEPPER, User, load_user, settings

ADA = "+918067218010"
BOB = "+14035551111"
UNKNOWN_NUMBER = "+918067218999"
REFUSED_NUMBERS = {
    "+918067218101": (Reason.USER_ABNORMAL, ""),
    "+918067218102": (Reason.USER_ABNORMAL, "ACCOUNT_ON_HOLD"),
    "+918067218103": (Reason.USER_ABNORMAL, "NEVER_AGREED"),
    "+918067218104": (Reason.ACCESS_DENIED, ""),
    "+918067218105": (Reason.PROCESS_FAILED, ""),
    "+918067218106": (Reason.CHANNEL_UNAVAILABLE, ""),
    "+918067218107": (Reason.DELIVERY_REFUSED, ""),
    "+918067218108": (Reason.CODE_UNMATCHED, ""),
    "+918067218109": (Reason.USER_MISSING, "ACCOUNT_CLOSED_FRAUD"),
}
NAMES = {ADA: "ada", BOB: "bob"}


def by_number(number: str, caller: Caller) -> User | None:
    """Load Ada and Bob; refuse certain numbers, each for its reason."""
    if number in REFUSED_NUMBERS:
        refuse(*REFUSED_NUMBERS[number])
    name = NAMES.get(number)
    return None if name is None else User(name, number, f"{name}@users.example")


def by_association(name: str, caller: Caller) -> User | None:
    """Load associations named ``assoc-NAME``; that of ``gone`` has no user any more."""
    if name == "assoc-gone":
        refuse(Reason.USER_MISSING)
    if not name.startswith("assoc-"):
        return None
    user = name.removeprefix("assoc-")
    return User(user, f"+91806721{user}", f"{user}@users.example")


@dataclass
class GoogleWallet:
    """A wallet with what a test needs: app, callers, inbox and clock."""

    app: Flask
    otp: OtpMpp
    inbox: Inbox
    clock: FrozenClock
    google: GoogleCaller

    @property
    def protocol(self) -> GoogleStandardPayments:
        (found,) = (
            one for one in state_of(self.app).protocols if isinstance(one, GoogleStandardPayments)
        )
        return found

    @property
    def sealers(self) -> list[Sealer]:
        """The wallet's side of each mount."""
        return [account.sealer for account in self.protocol._accounts.values()]

    def close(self) -> None:
        """Close the store's connections."""
        store = state_of(self.app).store
        if isinstance(store, SQLAlchemyStore):
            store.engine.dispose()

    def calling(self, account: dict[str, Any] | None = None, **how: Any) -> GoogleCaller:
        """Return a caller: plain, or with Google's side of an account."""
        sealer: Sealer = PlainSealer()
        if account is not None:
            sealer = open_sealers(read_accounts({"google": account}))["google"]
        return GoogleCaller(over_wsgi(self.app), sealer, clock=self.clock, **how)

    def sent(self, number: str = ADA, **how: Any) -> tuple[str, str]:
        """Send a code, after any cool-down; return requestId and code."""
        self.clock.forward(seconds=61)
        answer = self.google.send(number, **how)
        assert answer.result == "SUCCESS", answer.response
        return answer.request_id, self.inbox.code


def open_google(
    *,
    store: str = "memory://",
    accounts: dict[str, Any] | None = None,
    prepare: Callable[[Flask, OtpMpp], None] = lambda app, otp: None,
    sender: Callable[[User, Message], object] | None = None,
    loader: Callable[[str, Caller], User | None] = by_number,
    with_loaders: bool = True,
    channel: Channel = Channel.MOBILE,
    options: dict[str, Any] | None = None,
    testing: bool = True,
    protocols: tuple[Any, ...] = (GoogleStandardPayments,),
    **changed: Any,
) -> GoogleWallet:
    """Open a wallet that serves one plain account under ``/google/v1``, or other accounts."""
    clock, inbox = FrozenClock(), Inbox()
    otp = OtpMpp(*protocols, **{"clock": clock, **(options or {})})
    if with_loaders:
        otp.user_loader(PhoneNumber)(loader)
        otp.user_loader(AssociationId)(by_association)
    otp.sender(channel)(sender or inbox)
    app = Flask("tests.google")
    app.testing = testing
    app.config["OTP_MPP_GOOGLE_ACCOUNTS"] = accounts or {"gpay": {"envelope": "plain"}}
    if AlipayPlus in protocols:
        otp.user_loader(AccessToken)(load_user)
        app.config.update(settings(store))
    else:
        app.config.update(
            OTP_MPP_PEPPER=PEPPER, OTP_MPP_STORE=store, OTP_MPP_WALLET_NAME="Test Wallet"
        )
    app.config.update(changed)
    prepare(app, otp)
    otp.init_app(app)
    google = GoogleCaller(over_wsgi(app), PlainSealer(), clock=clock)
    return GoogleWallet(app, otp, inbox, clock, google)
