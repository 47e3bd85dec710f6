"""A wallet that serves Alipay+ and merchants of AMS, to the same users."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

from flask import Flask

from flask_otp_mpp import AlipayPlus, Ams, Caller, OtpMpp, Subject
from flask_otp_mpp.callers.ams import AmsAnswer, AmsCaller
from flask_otp_mpp.callers.transport import Transport, over_wsgi
from flask_otp_mpp.signing.keys import one_line
from tests.wallet import Wallet, key

MERCHANT: Final = "MERCHANT_5X00000000000000"
OTHER: Final = "MERCHANT_5X00000000000001"
SANDBOXED: Final = "SANDBOX_5X00000000000000"


@dataclass
class Shop:
    """A merchant and its wallet.

    :param meanwhile: what the host's loader by subject does, by the id of a user who was sent a
        code.
    """

    wallet: Wallet
    meanwhile: dict[str, Callable[[], str | None]]
    caller: AmsCaller = field(init=False)
    _ids: Iterator[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        self.caller = self.calling()

    def fresh_id(self) -> str:
        """Return an unused authenticationRequestId."""
        return f"AUTH_REQ_{next(self._ids):04}"

    def init(self, token: str = "tok-ada", request_id: str = "", **more: Any) -> AmsAnswer:
        """Call initAuthentication, after the cool-down of an earlier send."""
        self.wallet.clock.forward(seconds=61)
        return self.caller.init(token, request_id or self.fresh_id(), **more)

    def sent(self, token: str = "tok-ada", **more: Any) -> tuple[str, str]:
        """Have a code sent, which must succeed; return the request id and the code."""
        answer = self.init(token, **more)
        assert answer.code == "SUCCESS", answer.message
        return answer.request_id, self.wallet.inbox.code

    def calling(self, transport: Transport | None = None, **changed: Any) -> AmsCaller:
        """Return a merchant of this wallet that differs in the given options."""
        who: dict[str, Any] = {
            "client_id": MERCHANT,
            "key": key("merchant"),
            "server_keys": self.wallet.state.public_keys,
            "clock": self.wallet._request_time,
        }
        return AmsCaller(transport or over_wsgi(self.wallet.app), **{**who, **changed})


def open_shop(
    make_wallet: Callable[..., Wallet], *, with_subject_loader: bool = True, **how: Any
) -> Shop:
    """Open a wallet for Alipay+ and AMS; the other arguments are those of ``open_wallet``."""
    meanwhile: dict[str, Callable[[], str | None]] = {}

    def still_served(subject: str, caller: Caller) -> str | None:
        return meanwhile.get(subject, lambda: subject)()

    prepare_more = how.pop("prepare", lambda app, otp: None)

    def prepare(app: Flask, otp: OtpMpp) -> None:
        if with_subject_loader:
            otp.user_loader(Subject)(still_served)
        prepare_more(app, otp)

    public = one_line(key("merchant").public_key())
    clients = {name: {"1": public} for name in (MERCHANT, OTHER, SANDBOXED)}
    usual = {"protocols": (AlipayPlus, Ams), "prepare": prepare, "OTP_MPP_AMS_CLIENTS": clients}
    return Shop(make_wallet(**{**usual, **how}), meanwhile)
