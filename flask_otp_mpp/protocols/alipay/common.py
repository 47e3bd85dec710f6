"""Result codes that Alipay+ and AMS have in common; a protocol adds its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from flask_otp_mpp.core.reasons import Reason
from flask_otp_mpp.protocols.values import CodeRow, Operation

SEND: Final = frozenset({Operation.SEND})
VERIFY: Final = frozenset({Operation.VERIFY})
BOTH: Final = SEND | VERIFY

SUCCESS: Final = CodeRow("SUCCESS", "S", "Success", BOTH)


def row(
    code: str, message: str, operations: frozenset[Operation] = BOTH, status: str = "F"
) -> CodeRow:
    """Write one line of a code table; most codes are final failures of both operations."""
    return CodeRow(code, status, message, operations)


_ILLEGAL: Final = row("PARAM_ILLEGAL", "A parameter breaks its rule.")
_DENIED: Final = row("ACCESS_DENIED", "The request is not allowed.")
_UNKNOWN: Final = row("UNKNOWN_EXCEPTION", "The result is not known. Try again.", status="U")

COMMON_CODES: Final[Mapping[Reason, CodeRow]] = {
    Reason.METHOD_UNSUPPORTED: row("METHOD_NOT_SUPPORTED", "Use the method POST."),
    Reason.MEDIA_TYPE_UNSUPPORTED: row(
        "MEDIA_TYPE_NOT_ACCEPTABLE", "The body must be JSON in UTF-8."
    ),
    Reason.BODY_TOO_LARGE: row("PARAM_ILLEGAL", "body: is longer than is read here."),
    Reason.BODY_UNREADABLE: _ILLEGAL,
    Reason.VERSION_UNSUPPORTED: _ILLEGAL,
    Reason.FIELD_MISSING: _ILLEGAL,
    Reason.FIELD_INVALID: _ILLEGAL,
    Reason.KEY_UNKNOWN: row("KEY_NOT_FOUND", "The client has no key of this version."),
    Reason.ENCRYPTION_INVALID: _ILLEGAL,
    Reason.REQUEST_STALE: _DENIED,
    Reason.ACCESS_DENIED: _DENIED,
    Reason.TRAFFIC_EXCEEDED: row(
        "REQUEST_TRAFFIC_EXCEED_LIMIT", "Too many requests. Try again later.", status="U"
    ),
    Reason.USER_MISSING: row("USER_NOT_EXIST", "There is no such user."),
    Reason.USER_ABNORMAL: row("USER_STATUS_ABNORMAL", "The user's account is barred."),
    Reason.DELIVERY_REFUSED: row(
        "PROCESS_FAIL", "The message was refused for good. Do not retry.", SEND
    ),
    Reason.PROCESS_FAILED: row("PROCESS_FAIL", "The request failed. Do not retry."),
    Reason.REQUEST_PENDING: _UNKNOWN,
    Reason.REQUEST_CONFLICT: _ILLEGAL,
    Reason.UNFORESEEN: _UNKNOWN,
}
"""What both protocols answer in the same words."""
