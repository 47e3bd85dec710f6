"""Alipay+: the code tables of sendOTP and verifyOTP, and our reading of them.

Alipay+ Mobile Payment Provider API: sendOTP and verifyOTP, "Result/Error codes".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from flask_otp_mpp.core.reasons import Reason
from flask_otp_mpp.protocols.alipay.codes import (
    COMMON_READINGS,
    COMMON_ROWS,
    ID_NOT_USABLE,
    SEND,
    VERIFY,
    Reading,
    Table,
    codes_of,
    row,
    table,
)
from flask_otp_mpp.protocols.chosen_codes import Codes
from flask_otp_mpp.protocols.values import CodeRow

TABLE: Final[Table] = table(
    *COMMON_ROWS,
    row("EXPIRED_ACCESS_TOKEN", "The access token is expired."),
    row("INVALID_CLIENT", "The client is invalid."),
    row("INVALID_SIGNATURE", "The signature is invalid."),
    row("INVALID_TOKEN", "The access token is invalid."),
    row("METHOD_NOT_SUPPORTED", "The server does not implement the requested HTTPS method."),
    row("NO_INTERFACE_DEF", "API is not defined."),
    row("OTP_SEND_TIMES_EXCEED_LIMIT", "The times of sending OTP exceed the limit.", SEND),
    row(
        "OTP_VERIFY_TIMES_EXCEED_LIMIT",
        "The OTP verification has failed too many times. The user must get a new OTP.",
        VERIFY,
    ),
    row("OTP_VERIFY_UNMATCHED", "The OTP code is invalid.", VERIFY),
    row(
        "VERIFY_REQUEST_ID_INVALID",
        "The value of the verifyRequestId parameter is invalid.",
        VERIFY,
    ),
)
SUCCESS: Final[CodeRow] = TABLE["SUCCESS"]

_INVALID_ID: Final = Reading("VERIFY_REQUEST_ID_INVALID", operations=VERIFY)
_VERIFY_LIMIT: Final = Reading("OTP_VERIFY_TIMES_EXCEED_LIMIT", operations=VERIFY)
_SEND_LIMIT: Final = Reading("OTP_SEND_TIMES_EXCEED_LIMIT", operations=SEND)

READINGS: Final[Mapping[Reason, Reading]] = {
    **COMMON_READINGS,
    Reason.PATH_UNKNOWN: Reading("NO_INTERFACE_DEF"),
    Reason.CLIENT_UNKNOWN: Reading("INVALID_CLIENT"),
    Reason.PSP_UNKNOWN: Reading("INVALID_CLIENT"),
    Reason.SIGNATURE_INVALID: Reading("INVALID_SIGNATURE"),
    Reason.TOKEN_INVALID: Reading("INVALID_TOKEN"),
    Reason.TOKEN_EXPIRED: Reading("EXPIRED_ACCESS_TOKEN"),
    Reason.CHANNEL_UNAVAILABLE: Reading(
        "PARAM_ILLEGAL", "verifyType: no code can reach this user that way.", SEND
    ),
    Reason.SEND_LIMITED: _SEND_LIMIT,
    Reason.SEND_LOCKED: _SEND_LIMIT,
    Reason.CODE_UNMATCHED: Reading("OTP_VERIFY_UNMATCHED", operations=VERIFY),
    Reason.TRIES_SPENT: _VERIFY_LIMIT,
    Reason.USER_LOCKED: _VERIFY_LIMIT,
    **dict.fromkeys(ID_NOT_USABLE, _INVALID_ID),
}
CODES: Final[Codes] = codes_of(TABLE, READINGS)
