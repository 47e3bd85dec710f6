"""Google: the fields of the requests of sendOtp, verifyOtp and echo.

Google Standard Payments v1: RequestHeader, sendOtp, verifyOtp, echo.
"""

from __future__ import annotations

from typing import Final

from flask_otp_mpp.protocols.fields import Field, FieldTable, Matching, Number, Union
from flask_otp_mpp.protocols.json_fields import CONTROLS, SURROGATES, Rule
from flask_otp_mpp.protocols.values import Operation

_ID: Final = Rule("[a-zA-Z0-9:_-]", 1, 100, "1 to 100 letters, digits or :-_")
_ANY: Final = r"[\s\S]"

HEADER: Final = "requestHeader"
VERSION: Final = "protocolVersion"
MAJOR: Final = Number("major", "The version of the protocol.", only=1)
MINOR: Final = Number("minor", "Any: what it adds is not used here.")
REVISION: Final = Number("revision", "Any: what it adds is not used here.")
TIME: Final = Matching(
    "requestTimestamp",
    Rule("[0-9]", 1, 19, "milliseconds since 1970, as a text of digits"),
    "When the request was made, in milliseconds since 1970; it must be of now.",
)
REQUEST_ID: Final = Matching(
    "requestId", _ID, "The idempotency key of the request; a repeat gets the same result."
)

SMS_TOKEN: Final = Matching(
    "smsMatchingToken",
    # Google says its length only. The alphabet is that of Android's SMS retriever, base64 of either
    # kind: no dot, no space, nothing that could be read as a link in a message.
    Rule("[A-Za-z0-9+/_-]", 11, 11, "11 letters, digits or +/-_"),
    "What the message ends with, so that Android hands it to Google's app.",
)
CONTEXT: Final = Union(
    "otpContext", "What the code is for: an object with one member, which is an object too."
)
PHONE: Final = Matching(
    "accountPhoneNumber",
    Rule(_ANY, 1, 64, "a text of 1 to 64 characters"),
    "The phone number of the account, in E.164. One that can't exist is a result of its own.",
)
ASSOCIATION: Final = Matching(
    "associationId",
    Rule(f"[^{CONTROLS}]", 1, 256, "1 to 256 characters, none a control"),
    "The association of a Google account with an account of this wallet.",
)
SENT: Final = Matching("sendOtpRequestId", _ID, "The requestId of the sendOtp before it.")
OTP: Final = Matching(
    "otp", Rule(_ANY, 1, 32, "a text of 1 to 32 characters"), "The code that the user typed."
)
MESSAGE: Final = Matching(
    "clientMessage",
    Rule(f"[^{SURROGATES}]", 0, None, "a text in Unicode"),
    "A text; the answer repeats it.",
)

HEADER_FIELDS: Final[tuple[Field, ...]] = (TIME, REQUEST_ID)
VERSION_FIELDS: Final[tuple[Field, ...]] = (MAJOR, MINOR, REVISION)
FIELDS: Final[FieldTable] = {
    Operation.SEND: (SMS_TOKEN, CONTEXT),
    Operation.VERIFY: (SENT, OTP),
    Operation.ECHO: (MESSAGE,),
}
"""The fields of each message behind its header."""
USER_FIELDS: Final[tuple[Field, ...]] = (PHONE, ASSOCIATION)
"""A sendOtp names its user by one of these, and not by both."""
