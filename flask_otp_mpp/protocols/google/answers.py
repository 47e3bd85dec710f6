"""Write the answers to Google's requests, and seal those to an authenticated caller.

Google Standard Payments v1: ResponseHeader, ErrorResponse, and the answers of the three methods. A
caller who is not authenticated gets an HTTP status without a body, unless the account wants sealed
errors: then a sealed ErrorResponse, as far as the budget for unproven callers goes.
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

from flask_otp_mpp.core.clock import Clock
from flask_otp_mpp.core.reasons import Outcome
from flask_otp_mpp.protocols.chosen_codes import Codes
from flask_otp_mpp.protocols.google.account_members import Errors
from flask_otp_mpp.protocols.google.results import NO_BODY, RESULT, row_for
from flask_otp_mpp.protocols.google.sealer import Sealer, SealFault
from flask_otp_mpp.protocols.values import CodeRow, Operation, Outbound, RequestContext
from flask_otp_mpp.signing.budget import SigningBudget, TokenBucket

logger = logging.getLogger("flask_otp_mpp")

RETRY_AFTER: Final = 5
"""Seconds after which to try again, where the end of a limit is not known."""
SEND_RESULTS: Final = frozenset(
    {"INVALID_PHONE_NUMBER", "ACCOUNT_CLOSED_FRAUD", "PHONE_NUMBER_NOT_ASSOCIATED_WITH_ACCOUNT"}
)
"""The documented results of sendOtp beside SUCCESS; further ones that are agreed are a setting."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes answers.

    :param send_results: the results that a hook of the host may name for a send.
    """

    clock: Clock
    send_results: frozenset[str]
    budget: SigningBudget
    codes: Codes

    def write(
        self, context: RequestContext, outcome: Outcome, sealer: Sealer, errors: Errors
    ) -> Outbound:
        """Write one answer and seal it for the account that was called.

        :param errors: the account's choice.
        :raises SealFault: if a result can't be sealed now; an error is then left without a body.
        """
        row = row_for(context.operation, outcome.reason, self.codes)
        proven = context.authenticated is not None
        if proven and row.status == RESULT:
            return self._sealed(sealer, row, self._result(context, row.code, outcome))
        headers = self._headers(int(row.status), outcome)
        if errors is Errors.SEALED:
            has_body = proven or self._bucket(context).take()
        else:
            has_body = proven and row.code != NO_BODY
        if has_body:
            try:
                return self._sealed(sealer, row, _error(context, row, outcome), *headers)
            except SealFault as fault:
                logger.warning("an error is answered without a body: %s", fault)
        return _outbound(row, b"", *headers)

    def _sealed(
        self, sealer: Sealer, row: CodeRow, fields: Mapping[str, Any], *headers: tuple[str, str]
    ) -> Outbound:
        now = (self.clock() - _EPOCH) // _MILLISECOND
        message = {"responseHeader": {"responseTimestamp": str(now)}, **fields}
        payload = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()
        body = sealer.seal(payload)
        return _outbound(row, body, ("content-type", sealer.media_type), *headers)

    def _bucket(self, context: RequestContext) -> TokenBucket:
        """Return the part of the budget that an answer to an unproven caller is sealed from."""
        served = context.operation is not None and context.inbound.method == "POST"
        return self.budget.known if served else self.budget.other

    def _result(self, context: RequestContext, code: str, outcome: Outcome) -> Mapping[str, Any]:
        """Write a result; a repeat gets the same, word for word."""
        for_answer = "" if context.parsed is None else context.parsed.for_answer
        if context.operation is Operation.ECHO:
            return {"clientMessage": for_answer}
        if context.operation is Operation.VERIFY:
            return {"paymentIntegratorVerifyOtpId": for_answer, "result": code}
        if outcome.reason is None:
            return {"paymentIntegratorSendOtpId": outcome.challenge_id, "result": code}
        return {"result": outcome.detail if outcome.detail in self.send_results else code}

    def _headers(self, status: int, outcome: Outcome) -> tuple[tuple[str, str], ...]:
        """Return the headers that HTTP wants for the status of an error."""
        if status == 405:
            return (("allow", "POST"),)
        if status != 503:
            return ()
        wait = RETRY_AFTER
        if outcome.until is not None:
            wait = max(1, math.ceil((outcome.until - self.clock()).total_seconds()))
        return (("retry-after", str(wait)),)


def _error(context: RequestContext, row: CodeRow, outcome: Outcome) -> Mapping[str, Any]:
    """Write an ErrorResponse, and log its reference, so that support can find it.

    Google's list has no code for some errors; a member of it would be wrong, and it is optional.
    """
    reference = secrets.token_hex(8)
    logger.info("google %s: %s reference=%s", context.operation, row.code, reference)
    return {
        **({} if row.code == NO_BODY else {"errorResponseCode": row.code}),
        "errorDescription": f"{row.message} {outcome.explain()}".strip(),
        "paymentIntegratorErrorIdentifier": reference,
    }


def _outbound(row: CodeRow, body: bytes, *headers: tuple[str, str]) -> Outbound:
    length = ("content-length", str(len(body)))
    code = "" if row.code == NO_BODY else row.code
    return Outbound((*headers, length, ("cache-control", "no-store")), body, int(row.status), code)
