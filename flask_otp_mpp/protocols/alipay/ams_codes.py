"""AMS: the code table of initAuthentication and verifyAuthentication, and our reading of it.

AMS API: verifyAuthentication, "Result/Error codes", and the common error codes. What only the
common ones hold has the words that Alipay+ has for it.
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
    row("CLIENT_INVALID", "The client is invalid."),
    row("SIGNATURE_INVALID", "The signature is invalid."),
    row("API_INVALID", "API is not defined."),
    row("METHOD_NOT_SUPPORTED", "The server does not implement the requested HTTP method."),
    row("INVALID_ACCESS_TOKEN", "The access token is invalid."),
    row(
        "VERIFY_TIMES_EXCEED_LIMIT",
        "The verification code was failed too many times. The user must get a new verification.",
        VERIFY,
    ),
    row("VERIFY_UNMATCHED", "The verification code is invalid.", VERIFY),
    row(
        "AUTHENTICATION_REQUEST_ID_INVALID",
        "The value of authenticationRequestId is invalid",
        VERIFY,
    ),
)
SUCCESS: Final[CodeRow] = TABLE["SUCCESS"]

_TOKEN: Final = Reading("INVALID_ACCESS_TOKEN")
_INVALID_ID: Final = Reading("AUTHENTICATION_REQUEST_ID_INVALID", operations=VERIFY)
_VERIFY_LIMIT: Final = Reading("VERIFY_TIMES_EXCEED_LIMIT", operations=VERIFY)
_SEND_LIMIT: Final = Reading("PROCESS_FAIL", "No OTP can be sent to this user for now.", SEND)

READINGS: Final[Mapping[Reason, Reading]] = {
    **COMMON_READINGS,
    Reason.PATH_UNKNOWN: Reading("API_INVALID"),
    Reason.CLIENT_UNKNOWN: Reading("CLIENT_INVALID"),
    Reason.PSP_UNKNOWN: Reading("CLIENT_INVALID"),
    Reason.SIGNATURE_INVALID: Reading("SIGNATURE_INVALID"),
    Reason.TOKEN_INVALID: _TOKEN,
    Reason.TOKEN_EXPIRED: _TOKEN,
    Reason.CHANNEL_UNAVAILABLE: Reading(
        "PARAM_ILLEGAL", "authenticationChannelType: no code can reach this user that way.", SEND
    ),
    Reason.SEND_LIMITED: _SEND_LIMIT,
    Reason.SEND_LOCKED: _SEND_LIMIT,
    Reason.CODE_UNMATCHED: Reading("VERIFY_UNMATCHED", operations=VERIFY),
    Reason.TRIES_SPENT: _VERIFY_LIMIT,
    Reason.USER_LOCKED: _VERIFY_LIMIT,
    **dict.fromkeys(ID_NOT_USABLE, _INVALID_ID),
    Reason.REQUEST_CONFLICT: Reading(
        "PARAM_ILLEGAL", "authenticationRequestId: came before with other parameters.", SEND
    ),
}
CODES: Final[Codes] = codes_of(TABLE, READINGS)
