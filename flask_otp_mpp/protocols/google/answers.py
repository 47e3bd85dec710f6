"""Whoever is not authenticated gets a status and no more; to all others every body is sealed.

Google Standard Payments v1: ResponseHeader, ErrorResponse, and the answers of the three methods.
"""

from __future__ import annotations

import json
import logging
import math
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from flask_otp_mpp.core.ports import Clock
from flask_otp_mpp.core.reasons import Refused
from flask_otp_mpp.core.service import Done, VerifyOtp
from flask_otp_mpp.protocols.base import CodeRow, Echo, Outbound, RequestContext
from flask_otp_mpp.protocols.google.results import NO_BODY, RESULT, SUCCESS, row_for
from flask_otp_mpp.protocols.google.sealer import Sealer

logger = logging.getLogger("flask_otp_mpp")

RETRY_AFTER: Final = 5
"""Seconds after which to try again, where the end of a limit is not known."""
SEND_RESULTS: Final = frozenset(
    {"INVALID_PHONE_NUMBER", "ACCOUNT_CLOSED_FRAUD", "PHONE_NUMBER_NOT_ASSOCIATED_WITH_ACCOUNT"}
)
"""What sendOtp is documented to answer beside SUCCESS; agreed further ones are a setting."""
MAX_ID: Final = 32

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Writer:
    """Write answers.

    :param send_results: the results that a hook of the host may name for a send.
    """

    clock: Clock
    send_results: frozenset[str]

    def write(self, call: RequestContext, answer: Done | Refused, sealer: Sealer) -> Outbound:
        """Write one answer, in the envelope of the account that was called.

        :raises SealFault: if the answer can't be sealed now.
        """
        row, failed = SUCCESS, None
        if isinstance(answer, Refused):
            row = row_for(call.operation, answer)
            if call.authenticated is None or row.code == NO_BODY:
                return self._bare(int(row.status), answer)
            if row.status != RESULT:
                failed = _error(call, row, answer)
        fields = failed or self._result(call, row.code, answer)
        now = (self.clock() - _EPOCH) // _MILLISECOND
        message = {"responseHeader": {"responseTimestamp": str(now)}, **fields}
        payload = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()
        body = sealer.seal(payload)
        return _outbound(int(row.status), body, ("content-type", sealer.media_type))

    def _result(self, call: RequestContext, code: str, answer: Done | Refused) -> Mapping[str, Any]:
        """Write what a repeat is told again, word for word."""
        match call.command:
            case Echo(word):
                return {"clientMessage": word}
            case VerifyOtp(request=request):
                return {"paymentIntegratorVerifyOtpId": request.value[:MAX_ID], "result": code}
        if isinstance(answer, Done):
            return {"paymentIntegratorSendOtpId": answer.challenge_id, "result": code}
        return {"result": answer.detail if answer.detail in self.send_results else code}

    def _bare(self, status: int, refusal: Refused) -> Outbound:
        """Write an answer without a body, and what HTTP says to such a status."""
        if status == 405:
            return _outbound(status, b"", ("allow", "POST"))
        if status != 503:
            return _outbound(status, b"")
        wait = RETRY_AFTER
        if refusal.until is not None:
            wait = max(1, math.ceil((refusal.until - self.clock()).total_seconds()))
        return _outbound(status, b"", ("retry-after", str(wait)))


def _error(call: RequestContext, row: CodeRow, refusal: Refused) -> Mapping[str, Any]:
    """Write an ErrorResponse, and note its reference, by which support finds it."""
    reference = secrets.token_hex(8)
    logger.info("google %s: %s reference=%s", call.operation, row.code, reference)
    return {
        "errorResponseCode": row.code,
        "errorDescription": f"{row.message} {refusal.explain()}".strip(),
        "paymentIntegratorErrorIdentifier": reference,
    }


def _outbound(status: int, body: bytes, *headers: tuple[str, str]) -> Outbound:
    length = ("content-length", str(len(body)))
    return Outbound((*headers, length, ("cache-control", "no-store")), body, status)
