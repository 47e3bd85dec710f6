"""Google's methods, results and errors, as its documents have them; and the forms of its messages.

They stand here once more, beside those of the package's own server: a kit that read its tables
from the server that it tests would find no fault in them.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from flask_otp_mpp.conformance.case import Source

DOCUMENT: Final = "Google Standard Payments, payment integrator v1"
MATCHING: Final = "AB12345678C"
"""The smsMatchingToken of Google's samples."""


class Api(StrEnum):
    """Name a method by the last part of its path."""

    SEND = "sendOtp"
    VERIFY = "verifyOtp"
    ECHO = "echo"


class Means(StrEnum):
    """Name what an answer says."""

    SUCCESS = "success"
    WRONG_CODE = "wrong code"
    USED = "code used before"
    NUMBER_INVALID = "no such phone number"
    CLOSED = "account closed"
    NOT_ASSOCIATED = "number of no account"
    VERSION = "version not served"
    SIGNATURE = "bad signature"
    ENCRYPTION = "bad encryption"
    TIME = "time out of range"
    IDENTIFIER = "no such identifier"
    CONFLICT = "other parameters"
    VALUE = "illegal value"
    MISSING = "missing field"
    PRECONDITION = "not possible now"
    UNREADABLE = "unreadable"
    FORBIDDEN = "forbidden"
    NO_API = "no such method"
    HTTP_METHOD = "HTTP method not allowed"
    RUNNING = "the same request is running"
    TOO_LONG = "too long"
    MEDIA_TYPE = "media type not accepted"


RESULTS: Final[Mapping[Means, str]] = {
    Means.SUCCESS: "SUCCESS",
    Means.WRONG_CODE: "OTP_NOT_MATCHED",
    Means.USED: "OTP_ALREADY_USED",
    Means.NUMBER_INVALID: "INVALID_PHONE_NUMBER",
    Means.CLOSED: "ACCOUNT_CLOSED_FRAUD",
    Means.NOT_ASSOCIATED: "PHONE_NUMBER_NOT_ASSOCIATED_WITH_ACCOUNT",
}
"""The results, which have HTTP status 200."""
ERRORS: Final[Mapping[Means, tuple[int, str]]] = {
    Means.VERSION: (400, "INVALID_API_VERSION"),
    Means.SIGNATURE: (401, "INVALID_PAYLOAD_SIGNATURE"),
    Means.ENCRYPTION: (400, "INVALID_PAYLOAD_ENCRYPTION"),
    Means.TIME: (400, "REQUEST_TIMESTAMP_OUT_OF_RANGE"),
    Means.IDENTIFIER: (404, "INVALID_IDENTIFIER"),
    Means.CONFLICT: (412, "IDEMPOTENCY_VIOLATION"),
    Means.VALUE: (400, "INVALID_FIELD_VALUE"),
    Means.MISSING: (400, "MISSING_REQUIRED_FIELD"),
    Means.PRECONDITION: (400, "PRECONDITION_VIOLATION"),
    Means.UNREADABLE: (400, "INVALID_DECRYPTED_REQUEST"),
    Means.FORBIDDEN: (403, "FORBIDDEN"),
}
"""The errors: HTTP status and errorResponseCode."""
STATUSES: Final[Mapping[Means, int]] = {
    Means.NO_API: 404,
    Means.HTTP_METHOD: 405,
    Means.RUNNING: 409,
    Means.TOO_LONG: 413,
    Means.MEDIA_TYPE: 415,
}
"""What HTTP says and Google's table has no code for."""
UNPROVEN: Final = frozenset({Means.SIGNATURE, Means.ENCRYPTION})
"""The caller is not authenticated, so the body may be empty."""
VERIFY_RESULTS: Final = frozenset({"SUCCESS", "OTP_NOT_MATCHED", "OTP_ALREADY_USED"})
"""VerifyOtpResultCode; UNKNOWN_RESULT is never set."""
ABSENT: Final = object()
"""Stands for a member that is left out."""


def written(section: str, reading: str = "") -> Source:
    """Return where in Google's documents a rule is written; ``none`` if nowhere."""
    return Source("none" if section == "none" else DOCUMENT, section, reading)


def changed(message: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Return a message with another value of a member.

    :param path: the names that lead to it, with dots between.
    :param value: ``ABSENT`` leaves the member out.
    """
    other = copy.deepcopy(dict(message))
    *way, name = path.split(".")
    place = other
    for step in way:
        place = place[step]
    if value is ABSENT:
        place.pop(name, None)
    else:
        place[name] = value
    return other
