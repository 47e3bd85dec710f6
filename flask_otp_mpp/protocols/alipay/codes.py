"""Code tables of Alipay+ and AMS: their rows, and which of them answers which reason.

The documents list codes, each with a message, and leave open which code some conditions have. Each
such reading has a default here, in place of which a host may choose another code of the same table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from flask_otp_mpp.core.readers import Reader
from flask_otp_mpp.core.reasons import Reason
from flask_otp_mpp.protocols.chosen_codes import Codes, codes_reader
from flask_otp_mpp.protocols.values import CodeRow, Operation

Table: TypeAlias = Mapping[str, CodeRow]
"""The rows of an API's pages, by their code."""

SEND: Final = frozenset({Operation.SEND})
VERIFY: Final = frozenset({Operation.VERIFY})
BOTH: Final = SEND | VERIFY
UNKNOWN: Final = "U"
"""The status of a result that is not final: the caller may ask again."""
_END_NOT_KNOWN: Final = frozenset({Reason.REQUEST_PENDING, Reason.UNFORESEEN})
ID_NOT_USABLE: Final = (
    Reason.CHALLENGE_UNKNOWN,
    Reason.CHALLENGE_EXPIRED,
    Reason.CHALLENGE_USED,
    Reason.USED_UNMATCHED,
    Reason.CHALLENGE_CLOSED,
)
"""All that can be wrong with the id of an OTP. It has one answer, which tells nobody what it is."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Say which code answers a reason by default.

    :param detail: what is told beside the message of the code.
    :param operations: those that can be refused for the reason.
    """

    code: str
    detail: str = ""
    operations: frozenset[Operation] = BOTH


def row(
    code: str, message: str, operations: frozenset[Operation] = BOTH, status: str = "F"
) -> CodeRow:
    """Write one row of a document's table; most codes are final failures of both operations."""
    return CodeRow(code, status, message, operations)


def table(*rows: CodeRow) -> Table:
    """Return a table of these rows."""
    return {one.code: one for one in rows}


def codes_of(rows: Table, readings: Mapping[Reason, Reading]) -> Codes:
    """Return the row that answers each reason by default."""
    return {reason: _answer(rows, one, one.code) for reason, one in readings.items()}


def _answer(rows: Table, reading: Reading, code: str) -> CodeRow:
    return replace(rows[code], operations=reading.operations, detail=reading.detail)


def chosen_codes(rows: Table, readings: Mapping[Reason, Reading]) -> Reader[Codes]:
    """Return a reader of the codes that a host chooses, by the names of their reasons.

    A chosen code must be a failure in the table of each API that can be refused for the reason.
    REQUEST_PENDING and UNFORESEEN keep a code with status U, for nobody knows how the request
    ended; and all that can be wrong with the id of an OTP is one code, or the answer would tell
    strangers which ids exist.
    """

    def choices_of(reason: Reason) -> Mapping[str, CodeRow]:
        reading = readings[reason]
        statuses = {UNKNOWN} if reason in _END_NOT_KNOWN else {UNKNOWN, "F"}
        return {
            one.code: _answer(rows, reading, one.code)
            for one in rows.values()
            if reading.operations <= one.operations and one.status in statuses
        }

    return codes_reader(codes_of(rows, readings), choices_of, _check_ids)


def _check_ids(codes: Codes) -> str:
    if len({codes[reason].code for reason in ID_NOT_USABLE}) == 1:
        return ""
    names = ", ".join(reason.name for reason in ID_NOT_USABLE)
    return f"{names} must have one code, or answers show which ids exist"


COMMON_ROWS: Final = (
    row("SUCCESS", "Success", status="S"),
    row("KEY_NOT_FOUND", "The key is not found."),
    row("ACCESS_DENIED", "Access is denied."),
    row(
        "MEDIA_TYPE_NOT_ACCEPTABLE",
        "The server does not implement the media type that is acceptable to the client.",
    ),
    row("PARAM_ILLEGAL", "Illegal parameters. For example, non-numeric input, invalid date."),
    row("PROCESS_FAIL", "A general business failure occurred. Do not retry."),
    row("USER_NOT_EXIST", "The user does not exist."),
    row("USER_STATUS_ABNORMAL", "The user status is abnormal."),
    row("REQUEST_TRAFFIC_EXCEED_LIMIT", "The request traffic exceeds the limit.", status=UNKNOWN),
    row(
        "UNKNOWN_EXCEPTION",
        "An API call failed, which is caused by unknown reasons.",
        status=UNKNOWN,
    ),
)
"""What both tables hold in the same words."""

COMMON_READINGS: Final[Mapping[Reason, Reading]] = {
    Reason.METHOD_UNSUPPORTED: Reading("METHOD_NOT_SUPPORTED", "Use POST."),
    Reason.MEDIA_TYPE_UNSUPPORTED: Reading(
        "MEDIA_TYPE_NOT_ACCEPTABLE", "The body must be JSON in UTF-8."
    ),
    Reason.BODY_TOO_LARGE: Reading("PARAM_ILLEGAL", "body: is longer than is read here."),
    Reason.BODY_UNREADABLE: Reading("PARAM_ILLEGAL"),
    Reason.VERSION_UNSUPPORTED: Reading("PARAM_ILLEGAL"),
    Reason.FIELD_MISSING: Reading("PARAM_ILLEGAL"),
    Reason.FIELD_INVALID: Reading("PARAM_ILLEGAL"),
    Reason.KEY_UNKNOWN: Reading("KEY_NOT_FOUND", "The client has no key of this version."),
    Reason.ENCRYPTION_INVALID: Reading("PARAM_ILLEGAL"),
    Reason.REQUEST_STALE: Reading("ACCESS_DENIED"),
    Reason.ACCESS_DENIED: Reading("ACCESS_DENIED"),
    Reason.TRAFFIC_EXCEEDED: Reading("REQUEST_TRAFFIC_EXCEED_LIMIT", "Try again later."),
    Reason.USER_MISSING: Reading("USER_NOT_EXIST"),
    Reason.USER_ABNORMAL: Reading("USER_STATUS_ABNORMAL"),
    Reason.DELIVERY_REFUSED: Reading("PROCESS_FAIL", "The message was refused for good.", SEND),
    Reason.PROCESS_FAILED: Reading("PROCESS_FAIL"),
    Reason.REQUEST_PENDING: Reading(
        "UNKNOWN_EXCEPTION", "The same request is in progress, or was interrupted."
    ),
    Reason.REQUEST_CONFLICT: Reading("PARAM_ILLEGAL"),
    Reason.OVERLOADED: Reading("UNKNOWN_EXCEPTION", "Nothing was done. Try again later.", SEND),
    Reason.UNFORESEEN: Reading("UNKNOWN_EXCEPTION"),
}
"""Readings that both protocols share."""
