"""An app that serves all protocols, whose secrets are canaries, and whose hooks and store fail."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from flask import Flask

from flask_otp_mpp import (
    AlipayPlus,
    Ams,
    AssociationId,
    Caller,
    GoogleStandardPayments,
    Message,
    OtpMpp,
    PhoneNumber,
    Reason,
    SQLAlchemyStore,
    Subject,
    refuse,
)
from flask_otp_mpp.core.challenge import Attempt, Challenge, Draft
from flask_otp_mpp.core.idempotency import StoredAnswer
from flask_otp_mpp.core.policy import Policy
from flask_otp_mpp.core.reasons import Outcome
from flask_otp_mpp.signing.keys import one_line, private_pem
from flask_otp_mpp.testing import FrozenClock
from tests.ams import MERCHANT
from tests.codes import LONG_CODE
from tests.protocols.google import sides
from tests.vectors.google import jwk
from tests.wallet import PEPPER, User, Wallet, key, make_audit_table, open_wallet
from tests.web.sinks import Sinks

USER: Final = "visible-user"
TOKEN, PHONE, EMAIL = "tok-canary-3f61", "+861304710815", "canary-mail@users.example"
NUMBER: Final = "+918067218010"
"""By which Google names the user; the message goes to PHONE."""
BODY: Final = "canary-words"
TYPED: Final = "7193502846", "canary-typed"
"""Codes that a user typed: one has the form of a code."""
PASSWORD: Final = "canary-password"
GOOGLE_KEYS: Final = [
    json.loads(jwk(f"integrator-{name}.private")) for name in ("enc-1", "enc-2", "sig-1")
]
CANARIES: Final = (
    *(TOKEN, PHONE, PHONE[1:], EMAIL, NUMBER, NUMBER[1:], BODY, *TYPED, PASSWORD, PEPPER),
    *private_pem(key("wallet")).decode().splitlines()[1:-1],
    *(one[member] for one in GOOGLE_KEYS for member in ("d", "p", "q")),
)


HOOKS: Final = ("loader", "loader by subject", "identity", "sender", "client_key", "receiver")
VERBS: Final = ("get_answer", "reserve", "settle", "spend")
"""Where the app can fail: at its hooks and a receiver, and at the verbs of its store."""


class HostError(Exception):
    """An exception of the host, whose message holds all that it knows."""


@dataclass(repr=False)
class Trouble:
    """What makes hooks and store fail, at one place or at none.

    :ivar at: the place; every hook and verb asks for its own.
    :ivar refused: whether the sender refuses.
    :ivar codes: those that were sent.
    :ivar raised: the places that did fail.
    """

    sinks: Sinks
    at: str = ""
    refused: bool = False
    codes: list[str] = field(default_factory=list)
    raised: set[str] = field(default_factory=set)

    def here(self, place: str) -> None:
        if place == self.at:
            self.sinks.look_at_stack()
            self.raised.add(place)
            raise HostError(f"{TOKEN} {PHONE} {EMAIL} {NUMBER} {BODY} {PEPPER} {self.codes}")

    def load(self, credential: str, caller: Caller) -> User | None:
        self.here("loader")
        return User(USER, PHONE, EMAIL) if credential in (TOKEN, NUMBER) else None

    def confirm(self, subject: str, caller: Caller) -> str:
        self.here("loader by subject")
        return subject

    def identity(self, user: User) -> str:
        self.here("identity")
        return user.id

    def send(self, user: User, message: Message) -> None:
        self.codes.append(message.code)
        assert BODY in message.body
        self.here("sender")
        if self.refused:
            refuse(Reason.DELIVERY_REFUSED)

    def receive(self, sender: object, **_: object) -> None:
        self.here("receiver")

    def find_key(self, client: str, version: str | None) -> str | None:
        self.here("client_key")
        return one_line(key("merchant").public_key()) if client == MERCHANT else None


class FailingStore(SQLAlchemyStore):
    """A SQL store that fails at the verb that is in trouble."""

    trouble: Trouble

    def get_answer(self, request: str) -> StoredAnswer | None:
        self.trouble.here("get_answer")
        return super().get_answer(request)

    def reserve(self, draft: Draft, policy: Policy) -> Challenge | Outcome:
        self.trouble.here("reserve")
        return super().reserve(draft, policy)

    def settle(self, draft: Draft, outcome: Outcome) -> None:
        self.trouble.here("settle")
        super().settle(draft, outcome)

    def spend(self, attempt: Attempt, policy: Policy) -> Outcome:
        self.trouble.here("spend")
        return super().spend(attempt, policy)


def open_app(folder: Path, trouble: Trouble) -> Wallet:
    """Open the app, with the tables of store and trail in one file."""
    clocks = [FrozenClock()]
    store = FailingStore(f"sqlite:///{folder / 'otp.db'}", lambda: clocks[-1].now)
    store.trouble = trouble
    store.create_tables()
    make_audit_table(store)

    def prepare(app: Flask, otp: OtpMpp) -> None:
        otp.user_loader(PhoneNumber)(trouble.load)
        otp.user_loader(AssociationId)(trouble.load)
        otp.user_loader(Subject)(trouble.confirm)
        otp.user_identity(trouble.identity)
        otp.client_key(Ams)(trouble.find_key)
        trouble.sinks.attach(app)

    wallet = open_wallet(
        protocols=(AlipayPlus, Ams, GoogleStandardPayments),
        options={"store": store},
        loader=trouble.load,
        sender=trouble.send,
        prepare=prepare,
        OTP_MPP_STORE=None,
        OTP_MPP_AUDIT="store",
        OTP_MPP_CODE_DIGITS=LONG_CODE,
        OTP_MPP_MESSAGE=f"{BODY} {{code}}",
        OTP_MPP_FAILURE_LIMIT=3,
        OTP_MPP_SEND_LIMITS="1000 per day",
        OTP_MPP_GOOGLE_ACCOUNTS={"gpay": sides.jose_wallet()},
    )
    clocks.append(wallet.clock)
    return wallet
