"""A merchant as a wallet meets it: initAuthentication and verifyAuthentication, signed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Unpack

from flask_otp_mpp.callers.signed import SignedAnswer, SignedCaller, Signing, Tamper
from flask_otp_mpp.callers.transport import Transport

PREFIX: Final = "/ams/api/v1/users"
SANDBOX_PREFIX: Final = "/ams/sandbox/api/v1/users"


@dataclass(frozen=True, slots=True)
class Answer(SignedAnswer):
    """Hold an answer of initAuthentication or verifyAuthentication."""

    @property
    def request_id(self) -> str:
        """The authenticationRequestId that the wallet repeats; empty if it does not."""
        return str(self.json.get("authenticationRequestId", ""))

    @property
    def passed(self) -> bool | None:
        """What isPassed says, however it is written; None if it is not there."""
        return {"true": True, "false": False}.get(str(self.json.get("isPassed")).lower())


class AmsCaller(SignedCaller[Answer]):
    """Call initAuthentication and verifyAuthentication as a merchant does.

    :param prefix: where it calls; by default the sandbox for a client id that starts with
        ``SANDBOX_``, and the usual place for others.
    :param signing: client id and keys, as :class:`~flask_otp_mpp.callers.signed.SignedCaller` takes
        them.
    """

    paths = ("/initAuthentication", "/verifyAuthentication")
    answers = Answer

    def __init__(
        self, transport: Transport, *, prefix: str | None = None, **signing: Unpack[Signing]
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
    ) -> Answer:
        """Call initAuthentication.

        :param request_id: the authenticationRequestId, of the merchant's own making.
        :param tamper: do this one thing wrong.
        :param fields: further fields, or other values for the usual ones.
        """
        payload = {
            "authenticationType": "OTP",
            "authenticationRequestId": request_id,
            "authenticationChannelType": channel,
            "userIdentityType": "WALLET_TOKEN",
            "userIdentityValue": token,
        }
        return self.call("/initAuthentication", {**payload, **fields}, tamper=tamper)

    def verify(
        self, request_id: str, code: str, *, tamper: Tamper | None = None, **fields: Any
    ) -> Answer:
        """Call verifyAuthentication."""
        payload = {
            "authenticationType": "OTP",
            "authenticationRequestId": request_id,
            "authenticationValue": code,
        }
        return self.call("/verifyAuthentication", {**payload, **fields}, tamper=tamper)
