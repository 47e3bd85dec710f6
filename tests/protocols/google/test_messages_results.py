"""Each reason has one answer, and no answer is outside of Google's tables."""

from __future__ import annotations

import pytest

from flask_otp_mpp.core.reasons import Reason
from flask_otp_mpp.protocols.google.answers import SEND_RESULTS
from flask_otp_mpp.protocols.google.protocol import GoogleStandardPayments
from flask_otp_mpp.protocols.google.results import (
    CODES,
    EXTRA_ROWS,
    NO_BODY,
    SUCCESS,
    not_cached_reasons,
    row_for,
)
from flask_otp_mpp.protocols.values import Operation

# ErrorResponseCode and its HTTP status, as Google documents them.
ERRORS = {
    "INVALID_API_VERSION": "400",
    "INVALID_PAYLOAD_SIGNATURE": "401",
    "INVALID_PAYLOAD_ENCRYPTION": "400",
    "REQUEST_TIMESTAMP_OUT_OF_RANGE": "400",
    "INVALID_IDENTIFIER": "404",
    "IDEMPOTENCY_VIOLATION": "412",
    "INVALID_FIELD_VALUE": "400",
    "MISSING_REQUIRED_FIELD": "400",
    "PRECONDITION_VIOLATION": "400",
    "INVALID_DECRYPTED_REQUEST": "400",
    "FORBIDDEN": "403",
}
RESULTS = {
    Operation.SEND: {
        "SUCCESS",
        "INVALID_PHONE_NUMBER",
        "ACCOUNT_CLOSED_FRAUD",
        "PHONE_NUMBER_NOT_ASSOCIATED_WITH_ACCOUNT",
    },
    Operation.VERIFY: {"SUCCESS", "OTP_NOT_MATCHED", "OTP_ALREADY_USED"},
    Operation.ECHO: {"SUCCESS"},
}
# What a condition is answered where there is one operation that it belongs to.
EXPECTED = {
    Reason.PATH_UNKNOWN: (NO_BODY, "404"),
    Reason.METHOD_UNSUPPORTED: (NO_BODY, "405"),
    Reason.MEDIA_TYPE_UNSUPPORTED: (NO_BODY, "415"),
    Reason.BODY_TOO_LARGE: (NO_BODY, "413"),
    Reason.BODY_UNREADABLE: ("INVALID_DECRYPTED_REQUEST", "400"),
    Reason.VERSION_UNSUPPORTED: ("INVALID_API_VERSION", "400"),
    Reason.FIELD_MISSING: ("MISSING_REQUIRED_FIELD", "400"),
    Reason.FIELD_INVALID: ("INVALID_FIELD_VALUE", "400"),
    Reason.CLIENT_UNKNOWN: ("INVALID_PAYLOAD_SIGNATURE", "401"),
    Reason.PSP_UNKNOWN: ("INVALID_PAYLOAD_SIGNATURE", "401"),
    Reason.KEY_UNKNOWN: ("INVALID_PAYLOAD_SIGNATURE", "401"),
    Reason.SIGNATURE_INVALID: ("INVALID_PAYLOAD_SIGNATURE", "401"),
    Reason.ENCRYPTION_INVALID: ("INVALID_PAYLOAD_ENCRYPTION", "400"),
    Reason.REQUEST_STALE: ("REQUEST_TIMESTAMP_OUT_OF_RANGE", "400"),
    Reason.ACCESS_DENIED: ("FORBIDDEN", "403"),
    Reason.TRAFFIC_EXCEEDED: (NO_BODY, "503"),
    Reason.TOKEN_INVALID: ("INVALID_IDENTIFIER", "404"),
    Reason.TOKEN_EXPIRED: ("INVALID_IDENTIFIER", "404"),
    Reason.USER_MISSING: ("PHONE_NUMBER_NOT_ASSOCIATED_WITH_ACCOUNT", "200"),
    Reason.USER_ABNORMAL: ("ACCOUNT_CLOSED_FRAUD", "200"),
    Reason.CHANNEL_UNAVAILABLE: ("INVALID_PHONE_NUMBER", "200"),
    Reason.SEND_LOCKED: ("PRECONDITION_VIOLATION", "400"),
    Reason.SEND_LIMITED: ("PRECONDITION_VIOLATION", "400"),
    Reason.DELIVERY_REFUSED: ("PRECONDITION_VIOLATION", "400"),
    Reason.PROCESS_FAILED: ("PRECONDITION_VIOLATION", "400"),
    Reason.CODE_UNMATCHED: ("OTP_NOT_MATCHED", "200"),
    Reason.TRIES_SPENT: ("OTP_NOT_MATCHED", "200"),
    Reason.USER_LOCKED: ("OTP_NOT_MATCHED", "200"),
    Reason.CHALLENGE_UNKNOWN: ("INVALID_IDENTIFIER", "404"),
    Reason.CHALLENGE_EXPIRED: ("OTP_NOT_MATCHED", "200"),
    Reason.USED_UNMATCHED: ("OTP_NOT_MATCHED", "200"),
    Reason.CHALLENGE_USED: ("OTP_ALREADY_USED", "200"),
    Reason.CHALLENGE_CLOSED: ("OTP_NOT_MATCHED", "200"),
    Reason.REQUEST_PENDING: (NO_BODY, "409"),
    Reason.REQUEST_CONFLICT: ("IDEMPOTENCY_VIOLATION", "412"),
    Reason.OVERLOADED: (NO_BODY, "503"),
    Reason.UNFORESEEN: (NO_BODY, "503"),
}


def test_every_reason_has_its_answer() -> None:
    """O5: the map is total."""
    assert set(CODES) == set(Reason) == set(EXPECTED)
    assert {reason: (row.code, row.status) for reason, row in CODES.items()} == EXPECTED
    assert GoogleStandardPayments.codes is CODES
    assert GoogleStandardPayments.success is SUCCESS


@pytest.mark.parametrize("operation", [*Operation, None])
@pytest.mark.parametrize("reason", list(Reason), ids=lambda reason: reason.name)
@pytest.mark.alike(10)
def test_no_answer_is_outside_of_the_tables(reason: Reason, operation: Operation | None) -> None:
    """O5: a hook may refuse for any reason in any place, and invents no value by it."""
    row = row_for(operation, reason, CODES)
    if row.status == "200":
        assert operation is not None
        assert row.code in RESULTS[operation] - {"SUCCESS"}
        assert reason not in not_cached_reasons(operation, CODES)
    elif row.code == NO_BODY:
        assert row.status in {"404", "405", "409", "413", "415", "503"}
    else:
        assert ERRORS[row.code] == row.status


def test_every_documented_value_is_there() -> None:
    """O5: nothing of the tables is forgotten."""
    rows = [SUCCESS, *CODES.values(), *(row for _, row in EXTRA_ROWS)]
    assert {row.code for row in rows if row.status not in {"200"} and row.code != NO_BODY} == {
        *ERRORS
    }
    assert {row.code for row in rows if row.status == "200"} == set().union(*RESULTS.values())
    assert {"SUCCESS", *SEND_RESULTS} == RESULTS[Operation.SEND]
