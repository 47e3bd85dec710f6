"""A caller for trials that plays Alipay+: signed sendOTP and verifyOTP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Unpack

from flask_otp_mpp.callers.signed import SignedAnswer, SignedCaller, SigningOptions
from flask_otp_mpp.callers.signed_faults import Tamper
from flask_otp_mpp.callers.transport import Transport

PREFIX: Final = "/aps/api/v1/users"


@dataclass(frozen=True, slots=True)
class AlipayPlusAnswer(SignedAnswer):
    """The wallet's answer to sendOTP or verifyOTP."""

    @property
    def verify_request_id(self) -> str:
        """The ``verifyRequestId`` of a successful sendOTP; empty if the answer has none."""
        return str(self.json.get("verifyRequestId", ""))


class AlipayPlusCaller(SignedCaller[AlipayPlusAnswer]):
    """Call sendOTP and verifyOTP as Alipay+ does.

    :param transport: sends the HTTP requests: ``over_wsgi(app)`` or ``over_http(url)``.
    :param psp_id: the ``pspId`` of the wallet.
    :param acquirer_id: the ``acquirerId``, for whom Alipay+ calls.
    :param prefix: the path of the two APIs as Alipay+ calls and signs it.
    :param signing: client id and keys: ``client_id``, ``key``, ``server_keys`` and optionally
        ``key_version``, ``paths`` and ``clock``, as :class:`SignedCaller` explains them.
    """

    paths = ("/sendOTP", "/verifyOTP")
    answers = AlipayPlusAnswer

    def __init__(
        self,
        transport: Transport,
        *,
        psp_id: str,
        acquirer_id: str = "1022188000000000000",
        prefix: str = PREFIX,
        **signing: Unpack[SigningOptions],
    ) -> None:
        super().__init__(transport, prefix=prefix, **signing)
        self._psp_id = psp_id
        self._acquirer_id = acquirer_id

    def send(self, token: str, *, tamper: Tamper | None = None, **fields: Any) -> AlipayPlusAnswer:
        """Call sendOTP.

        :param token: the ``accessToken`` of the user.
        :param tamper: the one fault that the request is to contain.
        :param fields: further fields, or other values for the usual ones.
        """
        return self.call(self.paths[0], {**self._common(token), **fields}, tamper=tamper)

    def verify(
        self,
        token: str,
        verify_request_id: str,
        code: str,
        *,
        tamper: Tamper | None = None,
        **fields: Any,
    ) -> AlipayPlusAnswer:
        """Call verifyOTP; the other parameters are those of :meth:`send`.

        :param verify_request_id: the one that sendOTP was answered with.
        :param code: the code that the user typed.
        """
        answer = {"verifyRequestId": verify_request_id, "otpCode": code}
        return self.call(self.paths[1], {**self._common(token), **answer, **fields}, tamper=tamper)

    def _common(self, token: str) -> dict[str, Any]:
        return {"acquirerId": self._acquirer_id, "pspId": self._psp_id, "accessToken": token}
