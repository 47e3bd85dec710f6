"""AMS: the fields of initAuthentication and verifyAuthentication.

AMS API: initAuthentication and verifyAuthentication, "Request parameters" and "Response
parameters".
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from flask_otp_mpp.core.challenge import Channel
from flask_otp_mpp.core.reasons import Reason
from flask_otp_mpp.core.users import AccessToken
from flask_otp_mpp.protocols.fields import Choice, FieldTable, Matching, Text
from flask_otp_mpp.protocols.json_fields import Rule
from flask_otp_mpp.protocols.values import Operation

TYPE: Final = Choice("authenticationType", {"OTP": "OTP"}, "How the user proves who they are.")
REQUEST_ID: Final = Text(
    "authenticationRequestId",
    64,
    "The merchant's id for its request; a code is sent once for one id. An attempt names the id "
    "of the send.",
)
CHANNEL: Final = Choice(
    "authenticationChannelType",
    {"SMS": Channel.MOBILE, "EMAIL": Channel.EMAIL},
    "Where the code is sent: by SMS to the phone, or by e-mail.",
)
IDENTITY_TYPE: Final = Choice(
    "userIdentityType", {"WALLET_TOKEN": AccessToken}, "What userIdentityValue is."
)
IDENTITY: Final = Text(
    "userIdentityValue", 128, "The access token of the user, which this wallet has issued."
)
VALUE: Final = Matching(
    "authenticationValue",
    Rule("[0-9]", 1, 256, "a string of 1 to 256 digits"),
    "The code that the user typed.",
)

FIELDS: Final[FieldTable] = {
    Operation.SEND: (TYPE, REQUEST_ID, CHANNEL, IDENTITY_TYPE, IDENTITY),
    Operation.VERIFY: (TYPE, REQUEST_ID, VALUE),
}


class Booleans(StrEnum):
    """How a Boolean is written."""

    STRING = "string"
    JSON = "json"


PASSED: Final = "isPassed"
# The text "false" is true to clients in JavaScript and Python.
PASSED_VALUES: Final[Mapping[Booleans, Mapping[Reason | None, Mapping[str, str | bool]]]] = {
    Booleans.STRING: {None: {PASSED: "true"}},
    Booleans.JSON: {None: {PASSED: True}, Reason.CODE_UNMATCHED: {PASSED: False}},
}
"""The field of an answer where a code was compared, by how that ended."""
