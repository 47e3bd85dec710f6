"""The wallet that the kit is run against: every state of a user, an inbox, and a clock that moves.

Its configuration is a JSON file; where a server loads it, ``OTP_MPP_CONFORMANCE_WALLET`` is the
path.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from flask import Flask, Response, jsonify

from flask_otp_mpp import (
    AlipayPlus,
    Ams,
    AssociationId,
    Caller,
    Channel,
    GoogleStandardPayments,
    Message,
    OtpMpp,
    PhoneNumber,
    Reason,
    refuse,
)
from flask_otp_mpp.core.clock import Clock, utc_now
from flask_otp_mpp.stores import Store
from tests.wallet import REFUSED_TOKENS, User

SECOND: Final = "second-"
"""Begins the tokens that only the second client has been given."""
NO_EMAIL: Final = "tok-noemail"
UNKNOWN_NUMBER: Final = "+14155559999"
FROZEN_NUMBER: Final = "+14155559998"
GONE_ASSOCIATION: Final = "assoc-gone"
_TOKEN: Final = re.compile(f"(?P<second>{SECOND})?tok-[a-z0-9]+")


def create_app(
    config: Mapping[str, Any], make_store: Callable[[Clock], Store] | None = None
) -> Flask:
    """Open the wallet.

    :param config: settings, and beside them ``FOLDER``: there the messages are written, a file for
        each user, and read how far the clock was moved.
    """
    values = dict(config)
    folder = Path(values.pop("FOLDER"))
    second = values.pop("SECOND_CLIENT", "")
    app = Flask(__name__)
    app.config.update(values)
    protocols = {
        "OTP_MPP_ALIPAYPLUS_CLIENTS": AlipayPlus,
        "OTP_MPP_AMS_CLIENTS": Ams,
        "OTP_MPP_GOOGLE_ACCOUNTS": GoogleStandardPayments,
    }
    served = [protocol for key, protocol in protocols.items() if key in values]

    def clock() -> datetime:
        return _now(folder / "clock")

    otp = OtpMpp(*served, clock=clock, store=make_store(clock) if make_store else None)

    @otp.user_loader
    def user_of(token: str, caller: Caller) -> User | None:
        if token in REFUSED_TOKENS:
            refuse(REFUSED_TOKENS[token])
        known = _TOKEN.fullmatch(token)
        if known is None or (caller.client == second) != (known["second"] is not None):
            return None
        return _user(token.removeprefix(SECOND))

    @otp.user_loader(PhoneNumber)
    def by_number(number: str, caller: Caller) -> User | None:
        if number == FROZEN_NUMBER:
            refuse(Reason.USER_ABNORMAL)
        return None if number == UNKNOWN_NUMBER else _user(f"tok-{number}")

    @otp.user_loader(AssociationId)
    def by_association(name: str, caller: Caller) -> User | None:
        if name == GONE_ASSOCIATION:
            refuse(Reason.USER_MISSING)
        return _user(f"tok-{name}") if name.startswith("assoc-") else None

    @otp.sender(Channel.MOBILE)
    @otp.sender(Channel.EMAIL)
    def deliver(user: User, message: Message) -> None:
        if message.channel is Channel.EMAIL and not user.email:
            refuse(Reason.CHANNEL_UNAVAILABLE)
        with (folder / f"tok-{user.id}").open("a") as received:
            received.write(f"{json.dumps({'code': message.code})}\n")

    otp.init_app(app)

    @app.get("/inbox/<token>")
    def inbox(token: str) -> Response:
        name = token.removeprefix(SECOND).removeprefix("tok-")
        path = folder / f"tok-{name}"
        lines = path.read_text().splitlines() if path.exists() else []
        messages = (json.loads(line) for line in lines)
        return jsonify([{"number": number, **one} for number, one in enumerate(messages, 1)])

    @app.get("/pid")
    def pid() -> str:
        return str(os.getpid())

    return app


def _user(token: str) -> User:
    name = token.removeprefix("tok-")
    return User(name, "+8613012345678", "" if token == NO_EMAIL else f"{name}@users.example")


def _now(moved: Path) -> datetime:
    seconds = sum(map(int, moved.read_text().split())) if moved.exists() else 0
    return utc_now() + timedelta(seconds=seconds)


if "OTP_MPP_CONFORMANCE_WALLET" in os.environ:
    app = create_app(json.loads(Path(os.environ["OTP_MPP_CONFORMANCE_WALLET"]).read_text()))
