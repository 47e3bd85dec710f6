"""A caller for trials that plays a merchant: initAuthentication and verifyAuthentication."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Unpack

from flask_otp_mpp.callers.signed import SignedAnswer, SignedCaller, SigningOptions
from flask_otp_mpp.callers.signed_faults import Tamper
from flask_otp_mpp.callers.transport import Transport

PREFIX: Final = "/ams/api/v1/users"
SANDBOX_PREFIX: Final = "/ams/sandbox/api/v1/users"


@dataclass(frozen=True, slots=True)
class AmsAnswer(SignedAnswer):
    """The wallet's answer to initAuthentication or verifyAuthentication."""

    @property
    def request_id(self) -> str:
        """The ``authenticationRequestId`` of the answer; empty if it has none."""
        return str(self.json.get("authenticationRequestId", ""))

    @property
    def passed(self) -> bool | None:
        """``isPassed``, whether it is a Boolean or a string; None if the answer has none."""
        return {"true": True, "false": False}.get(str(self.json.get("isPassed")).lower())


class AmsCaller(SignedCaller[AmsAnswer]):
    """Call initAuthentication and verifyAuthentication as a merchant does.

    :param transport: sends the HTTP requests: ``over_wsgi(app)`` or ``over_http(url)``.
    :param prefix: the path of the two APIs as the merchant calls and signs it; by default that of
        the sandbox if the client id starts with ``SANDBOX_``, else that of production.
    :param signing: client id and keys: ``client_id``, ``key``, ``server_keys`` and optionally
        ``key_version``, ``paths`` and ``clock``, as :class:`SignedCaller` explains them.
    """

    paths = ("/initAuthentication", "/verifyAuthentication")
    answers = AmsAnswer

    def __init__(
        self, transport: Transport, *, prefix: str | None = None, **signing: Unpack[SigningOptions]
    ) -> None:
        usual = SANDBOX_PREFIX if signing["client_id"].startswith("SANDBOX_") else PREFIX
        super().__init__(transport, prefix=prefix or usual, **signing)

    def init(
        self,
        token: str,
        request_id: str,
        *,
        channel: str = "SMS",
        tamper: Tamper | None = None,
        **fields: Any,
    ) -> AmsAnswer:
        """Call initAuthentication.

        :param token: the access token of the user, as ``userIdentityValue``.
        :param request_id: the ``authenticationRequestId``, at most 64 characters.
        :param channel: ``SMS`` or ``EMAIL``.
        :param tamper: the one fault that the request is to contain.
        :param fields: further fields, or other values for the usual ones.
        """
        payload = {
            "authenticationType": "OTP",
            "authenticationRequestId": request_id,
            "authenticationChannelType": channel,
            "userIdentityType": "WALLET_TOKEN",
            "userIdentityValue": token,
        }
        return self.call(self.paths[0], {**payload, **fields}, tamper=tamper)

    def verify(
        self, request_id: str, code: str, *, tamper: Tamper | None = None, **fields: Any
    ) -> AmsAnswer:
        """Call verifyAuthentication; the other parameters are those of :meth:`init`.

        :param request_id: the ``authenticationRequestId`` of initAuthentication.
        :param code: the code that the user typed.
        """
        payload = {
            "authenticationType": "OTP",
            "authenticationRequestId": request_id,
            "authenticationValue": code,
        }
        return self.call(self.paths[1], {**payload, **fields}, tamper=tamper)
