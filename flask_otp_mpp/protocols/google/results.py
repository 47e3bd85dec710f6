"""Google's code tables: for each reason a result, an error, or an HTTP status without a body.

Google Standard Payments v1: SendOtpResultCode, VerifyOtpResultCode, ErrorResponseCode.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from flask_otp_mpp.core.reasons import Reason
from flask_otp_mpp.protocols.chosen_codes import Codes
from flask_otp_mpp.protocols.values import CodeRow, Operation

_SENDS: Final = frozenset({Operation.SEND})
_VERIFIES: Final = frozenset({Operation.VERIFY})
_ALL: Final = frozenset(Operation)

RESULT: Final = "200"
"""The status of every result that is not an error; a wrong code is a result."""
NO_BODY: Final = "(no body)"
"""Stands for the code where an answer is an HTTP status without a body."""


def _result(code: str, message: str, operations: frozenset[Operation]) -> CodeRow:
    return CodeRow(code, RESULT, message, operations)


def _error(
    code: str, status: int, message: str, operations: frozenset[Operation] = _ALL
) -> CodeRow:
    return CodeRow(code, str(status), message, operations)


def _empty(status: int, message: str, operations: frozenset[Operation] = _ALL) -> CodeRow:
    return CodeRow(NO_BODY, str(status), message, operations)


def _failed_precondition(message: str, operations: frozenset[Operation] = _ALL) -> CodeRow:
    return _error("PRECONDITION_VIOLATION", 400, message, operations)


SUCCESS: Final = _result("SUCCESS", "The code was sent, or is the right one.", _ALL)

_UNMATCHED: Final = _result("OTP_NOT_MATCHED", "The code does not match.", _VERIFIES)
_UNPROVEN: Final = _error("INVALID_PAYLOAD_SIGNATURE", 401, "No known key has signed.")
_NO_ASSOCIATION: Final = _error("INVALID_IDENTIFIER", 404, "associationId", _SENDS)
_UNMET: Final = _failed_precondition("The request is not possible now.")

CODES: Final[Codes] = {
    Reason.PATH_UNKNOWN: _empty(404, "There is no such method."),
    Reason.METHOD_UNSUPPORTED: _empty(405, "Use the method POST."),
    Reason.MEDIA_TYPE_UNSUPPORTED: _empty(415, "The media type is not read here."),
    Reason.BODY_TOO_LARGE: _empty(413, "The body is longer than is read here."),
    Reason.BODY_UNREADABLE: _error(
        "INVALID_DECRYPTED_REQUEST", 400, "The payload is not readable."
    ),
    Reason.VERSION_UNSUPPORTED: _error(
        "INVALID_API_VERSION", 400, "This major version is not served."
    ),
    Reason.FIELD_MISSING: _error("MISSING_REQUIRED_FIELD", 400, "A required field is missing."),
    Reason.FIELD_INVALID: _error("INVALID_FIELD_VALUE", 400, "A field breaks its rule."),
    Reason.CLIENT_UNKNOWN: _UNPROVEN,
    Reason.PSP_UNKNOWN: _UNPROVEN,
    Reason.KEY_UNKNOWN: _UNPROVEN,
    Reason.SIGNATURE_INVALID: _UNPROVEN,
    Reason.ENCRYPTION_INVALID: _error(
        "INVALID_PAYLOAD_ENCRYPTION", 400, "The body can't be decrypted."
    ),
    Reason.REQUEST_STALE: _error(
        "REQUEST_TIMESTAMP_OUT_OF_RANGE", 400, "The request is not of now."
    ),
    Reason.ACCESS_DENIED: _error("FORBIDDEN", 403, "The request is not allowed."),
    Reason.TRAFFIC_EXCEEDED: _empty(503, "Too many requests."),
    Reason.TOKEN_INVALID: _NO_ASSOCIATION,
    Reason.TOKEN_EXPIRED: _NO_ASSOCIATION,
    Reason.USER_MISSING: _result(
        "PHONE_NUMBER_NOT_ASSOCIATED_WITH_ACCOUNT", "No account has this number.", _SENDS
    ),
    Reason.USER_ABNORMAL: _result("ACCOUNT_CLOSED_FRAUD", "The account is barred.", _SENDS),
    Reason.CHANNEL_UNAVAILABLE: _result(
        "INVALID_PHONE_NUMBER", "No SMS can reach this number.", _SENDS
    ),
    Reason.SEND_LIMITED: _failed_precondition("No code can be sent for now.", _SENDS),
    Reason.SEND_LOCKED: _failed_precondition("No code can be sent for now.", _SENDS),
    Reason.DELIVERY_REFUSED: _failed_precondition("The message was refused for good.", _SENDS),
    Reason.PROCESS_FAILED: _failed_precondition("The request failed."),
    Reason.CODE_UNMATCHED: _UNMATCHED,
    Reason.TRIES_SPENT: _UNMATCHED,
    Reason.USER_LOCKED: _UNMATCHED,
    Reason.CHALLENGE_UNKNOWN: _error("INVALID_IDENTIFIER", 404, "sendOtpRequestId", _VERIFIES),
    Reason.CHALLENGE_EXPIRED: _UNMATCHED,
    Reason.CHALLENGE_USED: _result("OTP_ALREADY_USED", "The code was used before.", _VERIFIES),
    Reason.USED_UNMATCHED: _UNMATCHED,
    Reason.CHALLENGE_CLOSED: _UNMATCHED,
    Reason.REQUEST_PENDING: _empty(409, "The same request is at work."),
    Reason.REQUEST_CONFLICT: _error(
        "IDEMPOTENCY_VIOLATION", 412, "This requestId came with other parameters."
    ),
    Reason.OVERLOADED: _empty(503, "No code is sent for now.", _SENDS),
    Reason.UNFORESEEN: _empty(503, "The result is not known."),
}

EXTRA_ROWS: Final[Sequence[tuple[str, CodeRow]]] = (
    ("the host refuses for a reason that the operation has no answer for", _UNMET),
)
"""Rows beside those of the reasons, each with its condition."""


def choices_of(reason: Reason) -> Mapping[str, CodeRow]:
    """Return the rows that a host may choose for a reason, by their code.

    Each is a result of every method that can be refused for the reason, or an error. What has no
    code keeps its HTTP status.
    """
    usual = CODES[reason]
    if usual.code == NO_BODY:
        return {}
    return {
        row.code: replace(usual, code=row.code, status=row.status)
        for row in CODES.values()
        if row.code != NO_BODY and (row.status != RESULT or usual.operations <= row.operations)
    }


def row_for(operation: Operation | None, reason: Reason | None, codes: Codes) -> CodeRow:
    """Return the row that answers a request, never one that the operation does not know."""
    if reason is None:
        return SUCCESS
    row = codes[reason]
    known = row.status != RESULT if operation is None else operation in row.operations
    return row if known else _UNMET


def not_cached_reasons(operation: Operation, codes: Codes) -> frozenset[Reason]:
    """Return the reasons whose answer is an error and no result; a repeat is decided again."""
    return frozenset(
        reason for reason in Reason if row_for(operation, reason, codes).status != RESULT
    )
