"""Alipay+: the fields of the requests of sendOTP and verifyOTP.

Alipay+ Mobile Payment Provider API: sendOTP and verifyOTP, "Request parameters".
"""

from __future__ import annotations

from typing import Final

from flask_otp_mpp.core.challenge import Channel
from flask_otp_mpp.protocols.fields import Choice, FieldTable, Matching, Text
from flask_otp_mpp.protocols.json_fields import Rule
from flask_otp_mpp.protocols.values import Operation

ACQUIRER_ID: Final = Text("acquirerId", 64, "The acquirer in whose name Alipay+ calls.")
PSP_ID: Final = Text("pspId", 64, "The id that Alipay+ gave to this wallet.")
ACCESS_TOKEN: Final = Text(
    "accessToken", 128, "The access token of the user, which this wallet has issued."
)
VERIFY_TYPE: Final = Choice(
    "verifyType",
    {"MOBILE": Channel.MOBILE, "EMAIL": Channel.EMAIL},
    "Where the code is sent: by SMS to the phone, or by e-mail.",
    default=Channel.MOBILE,
)
VERIFY_REQUEST_ID: Final = Text(
    "verifyRequestId", 64, "The id of the code that was sent; the answer of sendOTP holds it."
)
OTP_CODE: Final = Matching(
    "otpCode", Rule("[0-9]", 1, 32, "a string of 1 to 32 digits"), "The code that the user typed."
)

FIELDS: Final[FieldTable] = {
    Operation.SEND: (ACQUIRER_ID, PSP_ID, ACCESS_TOKEN, VERIFY_TYPE),
    Operation.VERIFY: (ACQUIRER_ID, PSP_ID, ACCESS_TOKEN, VERIFY_REQUEST_ID, OTP_CODE),
}
