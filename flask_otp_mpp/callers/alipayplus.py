"""Alipay+ as a wallet meets it: sendOTP and verifyOTP, signed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Unpack

from flask_otp_mpp.callers.signed import SignedAnswer, SignedCaller, Signing, Tamper
from flask_otp_mpp.callers.transport import Transport

PREFIX: Final = "/aps/api/v1/users"


@dataclass(frozen=True, slots=True)
class Answer(SignedAnswer):
    """Hold an answer of sendOTP or verifyOTP."""

    @property
    def verify_request_id(self) -> str:
        """The verifyRequestId of a granted sendOTP."""
        return str(self.json.get("verifyRequestId", ""))


class AlipayPlusCaller(SignedCaller[Answer]):
    """Call sendOTP and verifyOTP as Alipay+ does.

    :param psp_id: by which the wallet is addressed, for an acquirer.
    :param signing: client id and keys, as :class:`~flask_otp_mpp.callers.signed.SignedCaller` takes
        them.
    """

    paths = ("/sendOTP", "/verifyOTP")
    answers = Answer

    def __init__(
        self,
        transport: Transport,
        *,
        psp_id: str,
        acquirer_id: str = "1022188000000000000",
        prefix: str = PREFIX,
        **signing: Unpack[Signing],
    ) -> None:
        super().__init__(transport, prefix=prefix, **signing)
        self._psp_id = psp_id
        self._acquirer_id = acquirer_id

    def send(self, token: str, *, tamper: Tamper | None = None, **fields: Any) -> Answer:
        """Call sendOTP.

        :param tamper: do this one thing wrong.
        :param fields: further fields, or other values for the usual ones.
        """
        return self.call("/sendOTP", {**self._common(token), **fields}, tamper=tamper)

    def verify(
        self,
        token: str,
        verify_request_id: str,
        code: str,
        *,
        tamper: Tamper | None = None,
        **fields: Any,
    ) -> Answer:
        """Call verifyOTP."""
        answer = {"verifyRequestId": verify_request_id, "otpCode": code}
        return self.call("/verifyOTP", {**self._common(token), **answer, **fields}, tamper=tamper)

    def _common(self, token: str) -> dict[str, Any]:
        return {"acquirerId": self._acquirer_id, "pspId": self._psp_id, "accessToken": token}
